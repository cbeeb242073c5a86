import { HoldfastError } from '../../core/errors.ts'
import type { TraceHop, TraceResult } from '../../core/model/trace.ts'
import { switchPorts } from '../../core/net/compile/tables.ts'
import { toHex } from '../../core/net/packet/bytes.ts'
import type { PipelineRun } from '../../core/net/trace/passage.ts'
import { toldWatches } from '../../core/net/trace/replication.ts'
import type { PreparedTrace } from '../../core/net/trace/simulate.ts'
import type { World } from '../../core/net/trace/world.ts'
import type { AgentClient } from '../deploy/clusters.ts'
import type { AgentOf } from './host-agents.ts'
import { within } from './real-world.ts'

/** How long a switch may take to say what it would do. */
export const explainMs = 3000

/** Asks every switch on the path what it would do with the frame that comes to it there, all at once; the answers become part of the hops. */
export async function explain(path: TraceResult, runs: readonly PipelineRun[], agentOf: AgentOf, mute: ReadonlyMap<string, string>): Promise<void> {
  const passed = new Set<TraceHop>(path.hops)
  await Promise.allSettled(
    runs.map(async (run) => {
      const agent = agentOf(run.hop.host)
      if (!passed.has(run.hop) || agent instanceof HoldfastError || mute.has(run.hop.host)) return
      run.hop.explanation = await saidOf(run, agent)
    }),
  )
}

/**
 * A trace that goes by what the sender's switch itself says of the broadcast nodes that it watches, where the packet goes to many: what is known of
 * the nodes otherwise is some seconds old.
 */
export async function withWatches(
  world: World,
  prepare: (world: World) => PreparedTrace,
  agentOf: AgentOf,
  mute: ReadonlyMap<string, string>,
): Promise<PreparedTrace & { world: World }> {
  const known = { ...prepare(world), world }
  const entry = known.path.hops.find(({ device }) => device === 'br-int')
  const run = known.runs.find(({ hop }) => hop === entry)
  const state = entry && world.hosts.get(entry.host)
  const agent = entry && agentOf(entry.host)
  if (!known.path.copies || !run || !state || !agent || agent instanceof HoldfastError || mute.has(entry.host)) return known
  const deadWatches = toldWatches(await saidOf(run, agent).catch(() => ''))
  if (!deadWatches) return known
  const told = { ...world, hosts: new Map(world.hosts).set(entry.host, { ...state, deadWatches }) }
  return { ...prepare(told), world: told }
}

async function saidOf({ hop, inPort, tunnel, frame }: PipelineRun, { network }: AgentClient): Promise<string> {
  const entry = tunnel
    ? { tunnel: inPort === switchPorts.vxlan ? ('vxlan' as const) : ('gre' as const), vni: tunnel.id, src: tunnel.src, dst: tunnel.dst }
    : { port: hop.in ?? '' }
  const { text } = await within(explainMs, network.explain({ entry, frame: toHex(frame) }), `the switch of ${hop.host} does not answer`)
  return text
}
