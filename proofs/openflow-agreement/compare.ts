import { StatefulConntrack } from '../../core/net/openflow/conntrack.ts'
import { extract } from '../../core/net/openflow/extract.ts'
import { at, keyWords, type Key } from '../../core/net/openflow/fields.ts'
import { parseGroup } from '../../core/net/openflow/group.ts'
import { runPipeline, type PipelineInput, type PipelineResult } from '../../core/net/openflow/pipeline.ts'
import { FlowTables } from '../../core/net/openflow/tables.ts'
import { toHex } from '../../core/net/packet/bytes.ts'
import { etherTypes } from '../../core/net/packet/packet.ts'
import type { Arrival, Case } from './case.ts'
import { captureName, tunnelPorts, underlay, type Bridge, type DummySwitch, type Sent } from './dummy-switch.ts'
import { encapsulated, readOuter, tunnelText } from './tunnels.ts'

/** What was compared. */
export const noCounts = {
  pipelines: 0,
  flows: 0,
  frames: 0,
  framesForwarded: 0,
  outputs: 0,
  framesTracked: 0,
  framesByTunnel: 0,
  framesByGroup: 0,
  framesSkipped: 0,
}
export type Counts = typeof noCounts

/** What leaves, in order, by port: frames, of tunnels with key and far end. */
type Observed = Record<string, string[]>

/**
 * What is not sent to the switch. A loop of flows that it would follow thousands of times: 64 kB of datapath actions end in a failed
 * assertion of ovs-vswitchd 3.1. A fragment that conntrack holds: when it gives up waiting, it lets it out with whatever packet comes next.
 */
function skipped({ steps }: PipelineResult): boolean {
  return steps.length > 400 || steps.some(({ done }) => done.some(({ kind }) => kind === 'held'))
}

interface Options {
  /** Leaves out frames that are `skipped`. */
  skipping?: boolean
  /** What the interpreter is given instead. */
  interpreted?: Bridge
}

/**
 * Sends a case through the switch and through the interpreter, with the flows as written and as the switch tells them. Answers how they
 * differ, or null.
 */
export async function compare(
  dummy: DummySwitch,
  tried: Case,
  counts: Counts,
  { skipping = true, interpreted = tried }: Options = {},
): Promise<string | null> {
  const { flows, arrivals } = tried
  const sides = [interpreted, await dummy.load(tried)].map((side) => ({
    ...{ tables: new FlowTables(side.flows, side.groups.map(parseGroup)), portsDown: side.portsDown },
    conntrack: new StatefulConntrack(),
  }))
  let nowMs = 0
  for (const [index, arrival] of arrivals.entries()) {
    if (arrival.afterMs > 0) await dummy.pass(arrival.afterMs)
    nowMs += arrival.afterMs
    const results = sides.map(({ tables, portsDown, conntrack }) => {
      const trial = conntrack.clone()
      return { trial, result: runPipeline(tables, arrival.frame, { ...origin(arrival), conntrack: trial, nowMs, portsDown }) }
    })
    if (skipping && results.some(({ result }) => skipped(result))) {
      counts.framesSkipped++
      continue
    }
    sides.forEach((side, which) => (side.conntrack = results[which]!.trial))
    // What OVS has cached for a sound IP packet it does to an unsound one as well, and the reverse: it leaves out to match on that.
    const unsound = isUnsound(arrival.frame)
    if (unsound) await dummy.forgetCache()
    const real = JSON.stringify(observed(await send(dummy, arrival)))
    if (unsound) await dummy.forgetCache()
    for (const [which, { result }] of results.entries()) {
      const here = JSON.stringify(computed(result))
      if (here !== real) return `frame ${index}, flows as ${which === 0 ? 'written' : 'the switch tells them'}\n  OVS  ${real}\n  here ${here}`
    }
    count(counts, arrival, results[0]!.result)
  }
  counts.pipelines++
  counts.flows += flows.length
  return null
}

/** Whether it is an IP packet by its Ethernet type alone. */
function isUnsound(frame: Uint8Array): boolean {
  const key: Key = new Uint32Array(keyWords)
  extract(frame, key)
  const type = key[at.etherType]!
  return (type === etherTypes.ip4 || type === etherTypes.ip6) && key[at.protocol] === 0
}

function byTunnel({ inPort }: Arrival): boolean {
  return inPort === tunnelPorts.vxlan || inPort === tunnelPorts.gre
}

/** The tunnel end that frames come from. */
const farEnd = '192.0.2.2'

function origin(arrival: Arrival): Pick<PipelineInput, 'inPort' | 'tunnel'> {
  const { inPort, tunnelId } = arrival
  return byTunnel(arrival) ? { inPort, tunnel: { id: tunnelId, src: farEnd, dst: underlay.ip } } : { inPort }
}

function send(dummy: DummySwitch, arrival: Arrival): Promise<Sent> {
  const { inPort, tunnel } = origin(arrival)
  return tunnel ? dummy.receive('phy', encapsulated(inPort, tunnel, arrival.frame)) : dummy.receive(`p${inPort}`, arrival.frame)
}

function computed({ outputs }: PipelineResult): Observed {
  const found: Observed = {}
  for (const { port, frame, tunnel } of outputs) {
    const name = captureName(port)
    if (name !== undefined) (found[name] ??= []).push(toHex(frame))
    // Without a far end that the underlay knows nothing leaves; nor does anything to the switch itself.
    else if ((port === tunnelPorts.vxlan || port === tunnelPorts.gre) && tunnel.dst in underlay.ends) {
      ;(found[port] ??= []).push(tunnelText(tunnel.id % 2 ** (port === tunnelPorts.vxlan ? 24 : 32), tunnel.dst, toHex(frame)))
    }
  }
  return sorted(found)
}

function observed(sent: Sent): Observed {
  const found: Observed = {}
  for (const [name, frames] of sent) {
    if (name !== 'phy') found[name] = frames
    else {
      for (const outer of frames) {
        const { port, text } = readOuter(outer)
        ;(found[port] ??= []).push(text)
      }
    }
  }
  return sorted(found)
}

function sorted(found: Observed): Observed {
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => a.localeCompare(b)))
}

function count(counts: Counts, arrival: Arrival, { steps, outputs }: PipelineResult): void {
  counts.frames++
  counts.framesForwarded += Number(outputs.length > 0)
  counts.outputs += outputs.length
  counts.framesByTunnel += Number(byTunnel(arrival))
  counts.framesByGroup += Number(steps.some(({ done }) => done.some(({ kind }) => kind === 'group')))
  counts.framesTracked += Number(steps.some(({ done }) => done.some(({ kind }) => kind === 'ct')))
}
