import { join } from 'node:path'
import { StatefulConntrack } from '../../core/net/openflow/conntrack.ts'
import { flowLine, type Flow } from '../../core/net/openflow/flow.ts'
import { runPipeline } from '../../core/net/openflow/pipeline.ts'
import { FlowTables } from '../../core/net/openflow/tables.ts'
import { toHex } from '../../core/net/packet/bytes.ts'
import { ensureBaseLayer } from '../../lab/base.ts'
import type { Proof } from '../proof.ts'
import { Chance } from './chance.ts'
import { captureName, DummySwitch, type Sent } from './dummy-switch.ts'
import { randomFlows } from './random-flows.ts'
import { randomFrame } from './random-packets.ts'
import { encapsulated, readOuter, sentByTunnel } from './tunnels.ts'
import { plainPorts, tunnelPorts, underlay } from './dummy-switch.ts'
import { tunnelIds } from './universe.ts'

/** A frame that comes to the switch. */
interface Arrival {
  /** OpenFlow port; what comes by a tunnel comes with an outer header. */
  inPort: number
  tunnelId: number
  frame: Uint8Array
  /** How long after the one before. */
  afterMs: number
}

interface Case {
  flows: Flow[]
  arrivals: Arrival[]
}

/** What leaves, port by port in order: `PORT HEX`, for tunnels `PORT ID FAR-END HEX`. */
type Observed = Record<string, string[]>

/** Random pipelines, each with frames that come one after the other, through OVS and through the interpreter: not a byte may differ. */
export default {
  name: 'openflow-agreement',
  title: 'The interpreter of OpenFlow flows does to every packet what Open vSwitch does',
  kind: 'lab',
  async run({ seed, scale, log }) {
    const usr = join(await ensureBaseLayer(log), 'usr')
    const rounds = scale === 'small' ? 60 : 3000
    const counts = { pipelines: 0, flows: 0, frames: 0, outputs: 0, tunnelled: 0, framesThatLeft: 0, tracked: 0 }
    const dummy = await DummySwitch.start(usr)
    try {
      for (let round = 0; round < rounds; round++) {
        const tried = randomCase(new Chance(seed + round))
        const difference = await compare(dummy, tried, counts)
        if (difference) throw new Error(`Pipeline with seed ${seed + round}: ${difference}\n${told(await reduced(dummy, tried))}`)
        counts.pipelines++
        counts.flows += tried.flows.length
        if (round % 100 === 99) log(`${round + 1} of ${rounds} pipelines, ${counts.frames} frames, ${counts.outputs} outputs`)
      }
    } finally {
      await dummy.stop()
    }
    return counts
  },
} satisfies Proof

function randomCase(chance: Chance): Case {
  const flows = randomFlows(chance)
  const arrivals: Arrival[] = []
  for (let count = 0; count < 24; count++) {
    arrivals.push({
      inPort: chance.is(0.85) ? chance.pick(plainPorts) : chance.pick(Object.values(tunnelPorts)),
      tunnelId: chance.pick(tunnelIds),
      frame: randomFrame(
        chance,
        arrivals.map(({ frame }) => frame),
      ),
      afterMs: chance.is(0.05) ? chance.pick([29_000, 31_000, 61_000]) : 0,
    })
  }
  return { flows, arrivals }
}

/** Sends a case through both; answers how they differ, or null. */
async function compare(
  dummy: DummySwitch,
  { flows, arrivals }: Case,
  counts: { frames: number; outputs: number; tunnelled: number; framesThatLeft: number; tracked: number },
): Promise<string | null> {
  const dumped = await dummy.load(flows)
  const sides = [flows, dumped].map((side) => ({ tables: new FlowTables(side), conntrack: new StatefulConntrack() }))
  let nowMs = 0
  for (const [index, { inPort, tunnelId, frame, afterMs }] of arrivals.entries()) {
    if (afterMs > 0) await dummy.pass(afterMs)
    nowMs += afterMs
    const tunnelled = inPort === tunnelPorts.vxlan || inPort === tunnelPorts.gre
    const tunnel = { id: tunnelId, src: '192.0.2.2', dst: underlay.ip }
    const sent = await dummy.receive(tunnelled ? 'phy' : `p${inPort}`, tunnelled ? encapsulated(inPort, tunnel, frame) : frame)
    const real = JSON.stringify(observed(sent))
    for (const [which, { tables, conntrack }] of sides.entries()) {
      const result = runPipeline(tables, frame, { inPort, conntrack, nowMs, ...(tunnelled && { tunnel }) })
      const computed: Observed = {}
      for (const output of result.outputs) {
        const name = captureName(output.port)
        if (name !== undefined) (computed[name] ??= []).push(toHex(output.frame))
        else if (sentByTunnel(output))
          (computed[output.port] ??= []).push(
            `${output.tunnel.id % 2 ** (output.port === tunnelPorts.vxlan ? 24 : 32)} ${output.tunnel.dst} ${toHex(output.frame)}`,
          )
      }
      const claimed = JSON.stringify(sorted(computed))
      if (claimed !== real)
        return `frame ${index} by port ${inPort}, ${which === 0 ? 'flows as written' : 'flows as dumped'}\n  OVS  ${real}\n  here ${claimed}`
      if (which === 1) continue
      counts.frames++
      counts.outputs += result.outputs.length
      counts.framesThatLeft += Number(result.outputs.length > 0)
      counts.tunnelled += Number(tunnelled)
      counts.tracked += Number(result.steps.some(({ done }) => done.some(({ kind }) => kind === 'ct')))
    }
  }
  return null
}

function observed(sent: Sent): Observed {
  const found: Observed = {}
  for (const [name, frames] of sent) {
    if (name !== 'phy') found[name] = frames
    else
      for (const outer of frames) {
        const { port, text } = readOuter(outer)
        ;(found[port] ??= []).push(text)
      }
  }
  return sorted(found)
}

function sorted(found: Observed): Observed {
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => a.localeCompare(b)))
}

/** A smaller case that still differs: without flows and frames that do not matter. */
async function reduced(dummy: DummySwitch, original: Case): Promise<Case> {
  const unused = { frames: 0, outputs: 0, tunnelled: 0, framesThatLeft: 0, tracked: 0 }
  let best = original
  const differs = (tried: Case): Promise<boolean> =>
    compare(dummy, tried, unused).then(
      (difference) => difference !== null,
      () => false,
    )
  for (let progress = true; progress;) {
    progress = false
    for (const part of ['arrivals', 'flows'] as const) {
      for (let index = best[part].length - 1; index >= 0; index--) {
        const tried = { ...best, [part]: best[part].toSpliced(index, 1) }
        if (await differs(tried)) [best, progress] = [tried, true]
      }
    }
  }
  return best
}

function told({ flows, arrivals }: Case): string {
  return [
    ...flows.map(flowLine),
    ...arrivals.map(({ inPort, tunnelId, frame, afterMs }) => `${inPort} ${tunnelId} +${afterMs} ms ${toHex(frame)}`),
  ].join('\n')
}
