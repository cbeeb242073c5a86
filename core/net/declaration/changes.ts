import type { VirtualNetwork } from '../../model/network.ts'
import { sameJson } from '../../sync/same-json.ts'
import { networkKinds, type NetworkKind } from './schema.ts'

// Type aliases, not interfaces: these fit the contract's loose objects, which have an index signature.

/** What becomes of one object. */
export type Change = {
  change: 'add' | 'change' | 'delete'
  kind: NetworkKind
  name: string
  /** What differs; empty unless it is changed. */
  fields: FieldChange[]
}

export type FieldChange = {
  /** As it is called in a declaration. */
  field: string
  /** As stored; null where there is none. */
  before: unknown
  after: unknown
}

/** What differs between two networks, in the order of kinds, then of names. Their numbers given last are no difference. */
export function changesOf(before: VirtualNetwork, after: VirtualNetwork): Change[] {
  return networkKinds.flatMap((kind) => {
    const [old, fresh] = [objectsUnlike(before, after, kind), objectsUnlike(after, before, kind)]
    const names = [...new Set([...old.keys(), ...fresh.keys()])].sort()
    return names.flatMap((name): Change | [] => {
      const [from, to] = [old.get(name), fresh.get(name)]
      if (!from) return { change: 'add', kind, name, fields: [] }
      if (!to) return { change: 'delete', kind, name, fields: [] }
      const fields = fieldChanges(from, to)
      return fields.length === 0 ? [] : { change: 'change', kind, name, fields }
    })
  })
}

/** By name; without those that are in the other network as the very same object. */
function objectsUnlike(network: VirtualNetwork, other: VirtualNetwork, kind: NetworkKind): Map<string, Readonly<Record<string, unknown>>> {
  const same = new Set<unknown>(other[`${kind}s`])
  return new Map(network[`${kind}s`].flatMap((object) => (same.has(object) ? [] : [[object.name, object]])))
}

const declaredNames: Readonly<Record<string, string>> = { mtuBytes: 'mtu' }

function fieldChanges(from: Readonly<Record<string, unknown>>, to: Readonly<Record<string, unknown>>): FieldChange[] {
  const keys = [...new Set([...Object.keys(to), ...Object.keys(from)])]
  return keys
    .filter((key) => !sameJson(from[key], to[key]))
    .map((key) => ({ field: declaredNames[key] ?? key, before: from[key] ?? null, after: to[key] ?? null }))
}
