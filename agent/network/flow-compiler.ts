import type { TunnelEnd, VirtualNetwork } from '../../core/model/network.ts'
import { compileHost } from '../../core/net/compile/compile.ts'
import { islandsOf, joinIslands } from '../../core/net/compile/islands.ts'
import { indexNetwork } from '../../core/net/compile/view.ts'
import type { Flow } from '../../core/net/openflow/flow.ts'

/** Compiles the flows of one host again and again, and of a network that has changed only the parts that did. */
export class FlowCompiler {
  readonly #host: string
  #known = new Map<string, { source: string; flows: Flow[] }>()

  constructor(host: string) {
    this.#host = host
  }

  /** What `compileHost` answers; a flow of a part that is as it was is the very object that it was. */
  compile(network: VirtualNetwork, hosts: ReadonlyMap<string, TunnelEnd>): Flow[] {
    const ends = JSON.stringify([...hosts])
    const next = new Map<string, { source: string; flows: Flow[] }>()
    for (const [name, island] of islandsOf(network)) {
      const { last: _last, ...parts } = island
      const source = ends + JSON.stringify(parts)
      const known = this.#known.get(name)
      const flows = known?.source === source ? known.flows : compileHost(indexNetwork({ network: island, hosts }), this.#host)
      next.set(name, { source, flows })
    }
    this.#known = next
    // Nothing declared: the pipeline alone.
    if (next.size === 0) return compileHost(indexNetwork({ network, hosts }), this.#host)
    return joinIslands([...next.values()].map(({ flows }) => flows))
  }
}
