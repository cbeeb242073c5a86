import { setTimeout as sleep } from 'node:timers/promises'
import type { z } from 'zod'
import type { TapPlace } from '../../core/contract/agent/network.ts'
import { HoldfastError } from '../../core/errors.ts'
import type { CaptureEvent, CapturePlace, captureRequestSchema } from '../../core/model/capture.ts'
import type { VirtualNetwork } from '../../core/model/network.ts'
import type { AuditLog } from '../audit/audit.ts'
import type { Context } from '../contexts/contexts.ts'
import type { AgentClient, Clusters } from '../deploy/clusters.ts'
import type { Inventory } from '../inventory/inventory.ts'
import { CaptureRun, type PlannedPoint } from './capture-run.ts'
import { EventQueue } from './event-queue.ts'
import { withHostAgents } from './host-agents.ts'
import type { NetworkService } from './network-service.ts'

type Request = z.output<typeof captureRequestSchema>

export interface CaptureServices {
  inventory: Inventory
  clusters: Clusters
  audit: AuditLog
  network: NetworkService
}

/** Captures packets at places of many hosts at once. What they saw is not kept here: whoever asked has it. */
export class CaptureService {
  readonly #services: CaptureServices
  readonly #running = new Map<string, CaptureRun>()

  constructor(services: CaptureServices) {
    this.#services = services
  }

  async check(context: Context, filter: string): Promise<void> {
    await this.#services.clusters.ask(context.name, null, (agent) => agent.network.checkFilter({ filter }))
  }

  stop(id: string): void {
    this.#running.get(id)?.end('stopped')
  }

  /** See the contract `capture.start`. Going away ends it on all hosts. */
  async *start(context: Context, request: Request, signal: AbortSignal | undefined): AsyncGenerator<CaptureEvent, void, undefined> {
    const { inventory, clusters, audit, network } = this.#services
    const planned = planPoints(request.places, (await network.get(context)).network)
    const gone = new AbortController()
    const queue = new EventQueue<CaptureEvent>(signal ? AbortSignal.any([signal, gone.signal]) : gone.signal)
    const run = new CaptureRun(request, planned, queue)
    const { filter, ms, maxBytes } = request
    const detail = { places: request.places.length, filter, ms, maxBytes }
    const hosts = [...new Set(planned.map(({ point }) => point.host))]
    const work = audit.around('capture', request.places.map(aboutOf), detail, () =>
      withHostAgents({ inventory, clusters }, context, { hosts }, async (agentOf) => {
        const agents = new Map(hosts.flatMap((host) => agentsOf(host, agentOf(host), run)))
        if (agents.size === 0) throw run.failure()
        await Promise.all([...agents.values()].map((agent) => agent.network.checkFilter({ filter })))
        await run.run(agents)
      }),
    )
    this.#running.set(request.id, run)
    try {
      void work.then(
        () => queue.end(),
        (thrown: unknown) => queue.fail(thrown),
      )
      yield* queue
    } finally {
      gone.abort()
      this.#running.delete(request.id)
      // The hosts are rid of it before this is over.
      await Promise.race([work.catch(() => undefined), sleep(5000, undefined, { ref: false })])
    }
  }
}

/** The agent of a host; nothing where it does not answer, and then the points there have failed. */
function agentsOf(host: string, agent: AgentClient | HoldfastError, run: CaptureRun): [string, AgentClient][] {
  if (!(agent instanceof HoldfastError)) return [[host, agent]]
  run.failHost(host, agent)
  return []
}

/** Where each place is, what it is in words, and what to tap there. Throws `not-found` for a port or network that there is not. */
export function planPoints(places: readonly CapturePlace[], { ports, networks }: VirtualNetwork): PlannedPoint[] {
  return places.map((place) => {
    const planned = (host: string, tap: TapPlace, what: string): PlannedPoint => ({ point: { place, host, device: '', what, failure: null }, tap })
    switch (place.kind) {
      case 'port': {
        const port = ports.find(({ name }) => name === place.port)
        if (!port) throw unknown('port', place.port)
        const address = port.ip6 === undefined ? port.ip : `${port.ip}, ${port.ip6}`
        return planned(port.host, place, `the cable of port ${port.name} (${address}) of network ${port.network}, what its guest sends and receives`)
      }
      case 'nic':
        return planned(place.host, { kind: 'nic', nic: place.nic, inside: true }, 'what passes this NIC, tunnels as they are wrapped')
      case 'bridge':
        return planned(
          place.host,
          { kind: 'bridge' },
          'a mirror of the bridge br-int, each packet as it comes in, before the switch does anything with it',
        )
      case 'tunnel': {
        const network = networks.find(({ name }) => name === place.network)
        if (!network) throw unknown('network', place.network)
        const tunnel = `${network.tunnel === 'vxlan' ? 'VXLAN' : 'GRE'} ${network.vni}`
        const what = `packets of network ${network.name} in tunnels (${tunnel}), taken out of what this NIC carries, without their wrapping`
        return planned(place.host, { kind: 'tunnel', network: network.name }, what)
      }
    }
  })
}

function unknown(kind: 'port' | 'network', name: string): HoldfastError {
  return new HoldfastError('not-found', `There is no ${kind} ${name}`, `See: holdfast inventory list ${kind}s.`, { [kind]: name })
}

/** What an audit record is about. */
function aboutOf(place: CapturePlace): string {
  switch (place.kind) {
    case 'port':
      return `port/${place.port}`
    case 'nic':
      return `nic/${place.host}/${place.nic}`
    case 'bridge':
      return `host/${place.host}`
    case 'tunnel':
      return `network/${place.network}`
  }
}
