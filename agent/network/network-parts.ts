import { HoldfastError } from '../../core/errors.ts'
import { emptyVirtualNetwork, type VirtualNetwork } from '../../core/model/network.ts'
import { hash48 } from '../../core/net/compile/cookie.ts'
import { sortedByName } from '../../core/net/declaration/sorted.ts'
import { sameJson } from '../../core/sync/same-json.ts'
import type { Write } from '../store/store.ts'
import { decodePart, encodePart, networkKeys, type NetworkPart } from './documents.ts'

/** Parts beside the root. All may have to be written at once, and etcd takes 128 writes in a transaction. */
const partCount = 64

/** etcd takes requests of at most 1.5 MiB. */
const maxChangeBytes = 1_000_000

const lists = ['vpcs', 'networks', 'routers', 'peerings', 'acls', 'ports', 'hosts', 'vips'] as const

/** A key's value, and what it was read as, once it was. */
interface Stored {
  value: unknown
  part?: NetworkPart
}

/** The virtual network as its keys hold it at one revision of the store. What one key holds is read once: its objects stay the very same. */
export class NetworkParts {
  readonly #stored: ReadonlyMap<string, Stored>

  constructor(stored: ReadonlyMap<string, Stored> = new Map()) {
    this.#stored = stored
  }

  /** With keys that were written at one revision; a value that is null: the key was deleted. */
  with(changes: readonly { key: string; value: unknown }[]): NetworkParts {
    const stored = new Map(this.#stored)
    for (const { key, value } of changes) {
      if (value === null) stored.delete(key)
      else stored.set(key, { value })
    }
    return new NetworkParts(stored)
  }

  /** `before`: what was read last, where that is known; what has stayed need not be sorted again. Throws `internal` when a part cannot be read. */
  read(before: VirtualNetwork = emptyVirtualNetwork): VirtualNetwork {
    const parts = [...this.#stored.values()].map((stored) => (stored.part ??= decodePart(stored.value)))
    const all = <T extends { name: string }>(listOf: (part: NetworkPart) => readonly T[] | undefined): T[] => {
      const left = new Set(parts.flatMap((part) => listOf(part) ?? []))
      const stayed = listOf(before)!.filter((object) => left.delete(object))
      return sortedByName([...stayed, ...left])
    }
    return {
      vpcs: all(({ vpcs }) => vpcs),
      networks: all(({ networks }) => networks),
      routers: all(({ routers }) => routers),
      peerings: all(({ peerings }) => peerings),
      acls: all(({ acls }) => acls),
      ports: all(({ ports }) => ports),
      hosts: all(({ hosts }) => hosts),
      vips: all(({ vips }) => vips),
      last: parts.find(({ last }) => last)?.last ?? emptyVirtualNetwork.last,
    }
  }

  /** What to write, in one transaction, for the store to hold another network, and what it holds then. Throws `bad-input` for too much. */
  replacedBy(network: VirtualNetwork): { writes: Write[]; parts: NetworkParts } {
    const writes: Write[] = []
    const stored = new Map<string, Stored>()
    for (const [key, part] of split(network)) {
      const before = this.#stored.get(key)
      // The root is written whatever changes: its revision is that of the network.
      const stays = key !== networkKeys.desired && before?.part !== undefined && sameJson(before.part, part)
      stored.set(key, stays ? before : { value: encodePart(part), part })
      if (!stays) writes.push({ put: key, value: stored.get(key)!.value })
    }
    for (const key of this.#stored.keys()) if (!stored.has(key)) writes.push({ delete: key })
    const bytes = JSON.stringify(writes).length
    if (bytes <= maxChangeBytes) return { writes, parts: new NetworkParts(stored) }
    throw new HoldfastError(
      'bad-input',
      `The change takes ${bytes} bytes in the store; one revision holds ${maxChangeBytes}`,
      'Apply it in several declarations: what one does not name stays as it is.',
    )
  }
}

/** A network's parts by key: each object by its name alone, so that a change of one touches one part and the root. */
function split(network: VirtualNetwork): Map<string, NetworkPart> {
  const parts = new Map<string, NetworkPart>([[networkKeys.desired, { last: network.last }]])
  for (const list of lists) {
    for (const object of network[list]) {
      const key = networkKeys.part(hash48(object.name) % partCount)
      const part = parts.get(key) ?? {}
      parts.set(key, part)
      const objects: unknown[] = (part[list] ??= [])
      objects.push(object)
    }
  }
  return parts
}
