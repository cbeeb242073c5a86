import type { TunnelEnd, VirtualNetwork } from '../../core/model/network.ts'
import { compileFloating, compileStanding } from '../../core/net/compile/compile.ts'
import { islandsOf, joinIslands } from '../../core/net/compile/islands.ts'
import { indexNetwork, viewOf, type HostView, type VipPlace } from '../../core/net/compile/view.ts'
import { inOrder, type Flow } from '../../core/net/openflow/flow.ts'
import { sameJson } from '../../core/sync/same-json.ts'
import { flowChanges } from './switch/flow-changes.ts'

/** Where more flows differ, joining all parts anew is not slower than putting each in its place. */
const maxPatched = 500

/** Of one island. */
interface Compiled {
  island: VirtualNetwork
  view: HostView
  standing: readonly Flow[]
  /** Where its VIPs are. */
  places: readonly (VipPlace | null)[]
  floating: readonly Flow[]
}

/**
 * Compiles the flows of one host again and again, and of a network that has changed only the parts that did. Floating addresses are a part of
 * their own of each island: they move while clients wait.
 */
export class FlowCompiler {
  readonly #host: string
  #ends: [string, TunnelEnd][] = []
  #islands: ReadonlyMap<string, Compiled> = new Map()
  /** What was joined last, and from what. */
  #flows: Flow[] = []
  #parts: ReadonlyMap<string, readonly Flow[]> = new Map()

  constructor(host: string) {
    this.#host = host
  }

  /** What `compileHost` answers. A flow that is as it was is the very object that it was; where all are, the list is the very list. */
  compile(network: VirtualNetwork, hosts: ReadonlyMap<string, TunnelEnd>, owners: ReadonlyMap<string, VipPlace> = new Map()): Flow[] {
    const ends = [...hosts]
    const sameEnds = sameJson(ends, this.#ends)
    // Nothing declared: the pipeline alone.
    const islands = new Map([...islandsOf(network)].map(([name, island]) => [name, this.#compile(name, island, hosts, owners, sameEnds)]))
    if (islands.size === 0) islands.set('', this.#compile('', network, hosts, owners, sameEnds))
    const parts = new Map(
      [...islands].flatMap(
        ([name, { standing, floating }]) =>
          [
            [name, standing],
            [`${name} floating`, floating],
          ] as const,
      ),
    )
    this.#flows = joinedAnew(this.#flows, this.#parts, parts)
    this.#parts = parts
    this.#islands = islands
    this.#ends = ends
    return this.#flows
  }

  #compile(
    name: string,
    island: VirtualNetwork,
    hosts: ReadonlyMap<string, TunnelEnd>,
    owners: ReadonlyMap<string, VipPlace>,
    sameEnds: boolean,
  ): Compiled {
    const before = this.#islands.get(name)
    const places = island.vips.map((vip) => owners.get(vip.name) ?? null)
    const known = sameEnds && before !== undefined && sameJson(before.island, island) ? before : null
    if (known && sameJson(known.places, places)) return known
    const index = known ? known.view.index : indexNetwork({ network: island, hosts })
    const view = { ...(known?.view ?? viewOf(index, this.#host)), index: { ...index, input: { ...index.input, owners } } }
    return { island, view, standing: known?.standing ?? compileStanding(view), places, floating: compileFloating(view) }
  }
}

/** The flows of all parts, from what they were `before`. */
function joinedAnew(joined: Flow[], before: ReadonlyMap<string, readonly Flow[]>, now: ReadonlyMap<string, readonly Flow[]>): Flow[] {
  const names = [...new Set([...before.keys(), ...now.keys()])].filter((name) => before.get(name) !== now.get(name))
  const changes = names.map((name) => flowChanges(before.get(name) ?? [], now.get(name) ?? []))
  const lists = [...now.values()]
  const removed = changes.flatMap((change) => change.removed)
  const added = changes.flatMap((change) => change.added)
  if (removed.length + added.length === 0) return joined
  if (removed.length + added.length > maxPatched) return joinIslands(lists)
  const patched = [...joined]
  for (const flow of removed) {
    // Several parts may have had it: then it is gone after the first.
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
