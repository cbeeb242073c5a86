import { toMany } from '../../core/net/compile/emit.ts'
import { tables } from '../../core/net/compile/tables.ts'
import type { Flow } from '../../core/net/openflow/flow.ts'

/** Counts how often a flow of this host came to send broadcast to the other hosts in another way: what a change of members costs a host. */
export class BroadcastFlows {
  #flows: readonly Flow[] = []
  #ways: ReadonlyMap<string, string> | null = null
  #changed = 0

  /** Since the first flows; undefined before them. */
  get changed(): number | undefined {
    return this.#ways ? this.#changed : undefined
  }

  /** The switch has these flows now. A network that comes or goes here changes nothing of another. */
  placed(flows: readonly Flow[]): void {
    if (flows === this.#flows) return
    const before = this.#ways ?? new Map<string, string>()
    this.#flows = flows
    this.#ways = waysToOthers(flows)
    for (const [match, way] of this.#ways) if (before.has(match) && before.get(match) !== way) this.#changed++
  }
}

/** How a frame for many gets to the other hosts, by the match of the flow that sends it there: copies to each or the broadcast cluster. Ports here are left out. */
function waysToOthers(flows: readonly Flow[]): Map<string, string> {
  return new Map(
    flows
      .filter(({ table, match }) => table === tables.fdb && match.includes('reg9=0') && match.endsWith(toMany))
      .map(({ match, actions }) => [match, /set_field:\d+->tun_id.*/.exec(actions)?.[0] ?? '']),
  )
}
