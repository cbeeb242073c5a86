import type { TunnelEnd, VirtualNetwork } from '../../core/model/network.ts'
import { compileHost } from '../../core/net/compile/compile.ts'
import { islandsOf, joinIslands } from '../../core/net/compile/islands.ts'
import { indexNetwork, type VipPlace } from '../../core/net/compile/view.ts'
import { inOrder, type Flow } from '../../core/net/openflow/flow.ts'
import { sameJson } from '../../core/sync/same-json.ts'
import { flowChanges } from './switch/flow-changes.ts'

/** Where more flows differ, joining all islands anew is not slower than putting each in its place. */
const maxPatched = 500

interface Compiled {
  island: VirtualNetwork
  /** Where its VIPs are. */
  places: readonly (VipPlace | null)[]
  flows: readonly Flow[]
}

/** Compiles the flows of one host again and again, and of a network that has changed only the parts that did. */
export class FlowCompiler {
  readonly #host: string
  #ends: [string, TunnelEnd][] = []
  #islands: ReadonlyMap<string, Compiled> = new Map()
  #flows: Flow[] = []

  constructor(host: string) {
    this.#host = host
  }

  /** What `compileHost` answers. A flow that is as it was is the very object that it was; where all are, the list is the very list. */
  compile(network: VirtualNetwork, hosts: ReadonlyMap<string, TunnelEnd>, owners: ReadonlyMap<string, VipPlace> = new Map()): Flow[] {
    const ends = [...hosts]
    const sameEnds = sameJson(ends, this.#ends)
    const islands = new Map<string, Compiled>()
    for (const [name, island] of islandsOf(network)) {
      const before = this.#islands.get(name)
      const places = island.vips.map((vip) => owners.get(vip.name) ?? null)
      const stays = sameEnds && before !== undefined && sameJson(before.island, island) && sameJson(before.places, places)
      islands.set(name, stays ? before : { island, places, flows: compileHost(indexNetwork({ network: island, hosts, owners }), this.#host) })
    }
    // Nothing declared: the pipeline alone.
    if (islands.size === 0) islands.set('', { island: network, places: [], flows: compileHost(indexNetwork({ network, hosts }), this.#host) })
    this.#flows = joinedAnew(this.#flows, this.#islands, islands)
    this.#islands = islands
    this.#ends = ends
    return this.#flows
  }
}

/** The flows of all islands, from what they were `before`. */
function joinedAnew(joined: Flow[], before: ReadonlyMap<string, Compiled>, now: ReadonlyMap<string, Compiled>): Flow[] {
  const names = [...new Set([...before.keys(), ...now.keys()])].filter((name) => before.get(name) !== now.get(name))
  const changes = names.map((name) => flowChanges(before.get(name)?.flows ?? [], now.get(name)?.flows ?? []))
  const lists = [...now.values()].map(({ flows }) => flows)
  const removed = changes.flatMap((change) => change.removed)
  const added = changes.flatMap((change) => change.added)
  if (removed.length + added.length === 0) return joined
  if (removed.length + added.length > maxPatched) return joinIslands(lists)
  const patched = [...joined]
  for (const flow of removed) {
    // Several islands may have had it: then it is gone after the first.
    if (has(patched, flow) && !lists.some((flows) => has(flows, flow))) patched.splice(placeOf(patched, flow), 1)
  }
  for (const flow of added) patched.splice(placeOf(patched, flow), has(patched, flow) ? 1 : 0, flow)
  return patched
}

/** Where in a list in the order of `inOrder` a flow with this table, priority and match is or would be. */
function placeOf(flows: readonly Flow[], flow: Flow): number {
  let [from, to] = [0, flows.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (inOrder(flows[middle]!, flow) < 0) from = middle + 1
    else to = middle
  }
  return from
}

function has(flows: readonly Flow[], flow: Flow): boolean {
  const there = flows[placeOf(flows, flow)]
  return there !== undefined && inOrder(there, flow) === 0
}
