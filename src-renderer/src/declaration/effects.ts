import type { NetworkPlanDoc } from '../../../core/contract/desktop/network.ts'
import type { Messages } from '../i18n/i18n.svelte.ts'

export type Change = NetworkPlanDoc['changes'][number]

/** Names in a sentence: the first few, and how many more. */
const few = 4
const namesOf = (changes: readonly Change[], m: Messages): string => {
  const names = changes.map(({ name }) => name)
  return names.length <= few + 1 ? names.join(', ') : `${names.slice(0, few).join(', ')}, ${m.declaration.andMore(names.length - few)}`
}

/** Fields of an object that only tell what it was given or how it is watched: changing them touches no connection. */
const harmless = new Set(['log', 'number'])
/** What changes only how broadcast goes. */
const broadcastOnly = new Set(['broadcast'])

/** What a plan interrupts, as sentences; never empty. */
export function effectsOf(changes: readonly Change[], m: Messages): string[] {
  const changed = (kind: string, fields: (field: string) => boolean): Change[] =>
    changes.filter((change) => change.kind === kind && change.change === 'change' && change.fields.some(({ field }) => fields(field)))
  const deleted = (kind: string): Change[] => changes.filter((change) => change.kind === kind && change.change === 'delete')
  const say = (found: readonly Change[], sentence: (names: string) => string): string[] => (found.length > 0 ? [sentence(namesOf(found, m))] : [])

  const moved = changed('port', (field) => field === 'host')
  const altered = changed('port', (field) => ['ip', 'ip6', 'mac', 'network', 'attach'].includes(field)).filter((change) => !moved.includes(change))
  const rules = [
    ...changes.filter((change) => change.kind === 'acl' && change.change === 'add'),
    ...changed('acl', (field) => !harmless.has(field)),
    ...deleted('acl'),
  ]
  const routing = changes.filter(
    ({ kind, change, fields }) =>
      // A network that is deleted has no traffic of its own left: its ports are named.
      ((kind === 'router' || kind === 'peering') && change === 'delete') ||
      (['network', 'router', 'peering'].includes(kind) &&
        change === 'change' &&
        fields.some(({ field }) => !harmless.has(field) && !broadcastOnly.has(field))),
  )
  const broadcast = changed('network', (field) => broadcastOnly.has(field))
  const nodes = changes.filter(({ kind }) => kind === 'host')
  const vips = [...changed('vip', (field) => ['ip', 'ports', 'network'].includes(field)), ...deleted('vip')]
  const sentences = [
    ...say(deleted('port'), m.declaration.effect.portsDeleted),
    ...say(moved, m.declaration.effect.portsMoved),
    ...say(altered, m.declaration.effect.portsChanged),
    ...say(rules, m.declaration.effect.rules),
    ...say(routing, m.declaration.effect.routing),
    ...say(broadcast, m.declaration.effect.broadcast),
    ...say(nodes, m.declaration.effect.nodes),
    ...say(vips, m.declaration.effect.vips),
  ]
  return sentences.length > 0 ? sentences : [m.declaration.effect.none]
}

/** What the button says that makes a plan so: a single change by its name. */
export function applyText(changes: readonly Change[], m: Messages): string {
  const [only, ...others] = changes
  if (!only) return m.declaration.nothing
  if (others.length === 0) return m.declaration.applyOne[only.change](m.trace.named(m.kind[only.kind as keyof typeof m.kind] ?? only.kind, only.name))
  const deletes = changes.filter(({ change }) => change === 'delete').length
  return deletes === 0 ? m.declaration.apply(changes.length) : m.declaration.applyAndDelete(changes.length - deletes, deletes)
}

/** A field's value as people write it in a declaration. */
export function valueText(value: unknown, m: Messages): string {
  if (value === null || value === undefined) return m.declaration.unset
  if (Array.isArray(value)) return value.length === 0 ? m.declaration.unset : value.map((each) => valueText(each, m)).join(', ')
  if (typeof value !== 'object') return String(value)
  return `{${Object.entries(value)
    .map(([key, each]) => `${key}: ${Array.isArray(each) ? `[${each.map(String).join(', ')}]` : valueText(each, m)}`)
    .join(', ')}}`
}
