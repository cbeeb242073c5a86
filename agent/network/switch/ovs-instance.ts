import { createHash } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { flowLine, type Flow } from '../../../core/net/openflow/flow.ts'
import { isAlive } from '../../runtime/process.ts'
import { endInstance, startDatabase, startSwitch, type Daemons } from './daemons.ts'
import type { DesiredSwitch, SwitchBase, SwitchPort } from './desired-switch.ts'
import { deviceIndex, isolateDevice, makeErrorDevice } from './devices.ts'
import { bundleText, driftCount, flowChanges, parseFlowDiff, type FlowDrift } from './flow-changes.ts'
import { gateFlow, openGate } from './gate.ts'
import { FlowChanger, ofctl } from './ovs-programs.ts'
import { changePorts, describeSwitch, devicePorts, endFlowRestore, patchVlans, readPorts, watchEnds, type PortChanges } from './ports.ts'
import { bridgeSocket, instancePaths, type Bridge, type InstancePaths, type SwitchPaths } from './switch-paths.ts'
import { routeTunnels, setNeighbours, underlayFlows } from './underlay.ts'
import { Unixctl, unixctl } from './unixctl.ts'

/** A running instance of Open vSwitch, as it is told to others. */
export interface InstanceId extends Daemons {
  /** Of its start: it rises, and is never given twice. */
  number: number
  base: SwitchBase
}

/** What came of making an instance what is desired. */
export interface Converged {
  /** Flows added, changed or removed. */
  flowsChanged: number
  /** What cannot be in place, in a sentence each. */
  problems: string[]
}

/** What somebody else has done to an instance, which was put right. */
export interface Drift extends FlowDrift {
  /** Flows of br-phy that were missing, altered or extra. */
  underlay: FlowDrift
  /** Ports that were gone, had another number, or belong to nobody. */
  ports: SwitchPort[]
}

/** Flows and ports that an instance is known to have, because this process put them there or has compared them. */
interface InPlace {
  flows: readonly Flow[]
  /** `portsText`; null: some are not in place. */
  ports: string | null
  meters: readonly string[]
  groups: readonly string[]
  peers: string
  watched: string
  vlans: string
  underlay: string
}

/**
 * One Open vSwitch on this host: an ovsdb-server and an ovs-vswitchd in a directory of their own. It remembers what it has put in place,
 * and so does no more than what has changed; without such memory it compares with what is there.
 */
export class OvsInstance {
  readonly id: InstanceId
  readonly paths: InstancePaths
  readonly #switchPaths: SwitchPaths
  readonly #changer: FlowChanger
  /** Whether it has the gate, and so forwards nothing. */
  #gated: boolean
  #inPlace: InPlace | null = null
  /** Of the dumps of both bridges when they were last compared and right. */
  #dumpHash: string | null = null

  constructor(paths: SwitchPaths, id: InstanceId, gated: boolean) {
    this.id = id
    this.#switchPaths = paths
    this.paths = instancePaths(paths, id.number)
    this.#gated = gated
    this.#changer = new FlowChanger(this.target())
  }

  /** Starts a new one, with all that is desired in place when this resolves. Throws `step-failed` and `system-unsupported`; nothing of it is left then. */
  static async start(paths: SwitchPaths, number: number, desired: DesiredSwitch, gated: boolean): Promise<OvsInstance> {
    const instance = instancePaths(paths, number)
    await makeErrorDevice()
    for (const { device } of desired.ports) isolateDevice(device)
    try {
      const ovsdb = await startDatabase(paths, number)
      await describeSwitch(instance, desired)
      const vswitchd = await startSwitch(paths, number, desired.datapath)
      const { datapath, nic, nicIndex, tunnelEnd } = desired
      const made = new OvsInstance(paths, { number, ovsdb, vswitchd, base: { datapath, nic, nicIndex, tunnelEnd } }, gated)
      await made.#setUp(desired)
      return made
    } catch (thrown) {
      await endInstance(paths, number)
      throw thrown
    }
  }

  get running(): boolean {
    return isAlive(this.id.vswitchd)
  }

  /** For `ovs-ofctl`. */
  target(bridge: Bridge = 'br-int'): string {
    return `unix:${bridgeSocket(this.paths, bridge)}`
  }

  /** Runs a command of ovs-vswitchd(8), e.g. `ofproto/trace`, and answers what it prints. */
  control(command: string, ...params: string[]): Promise<string> {
    return unixctl(this.paths.vswitchdControl, command, params)
  }

  /** Makes ports, meters, neighbours and flows what is desired, ports before flows. `desired` stands on the same base. */
  async converge(desired: DesiredSwitch): Promise<Converged> {
    const before = this.#inPlace
    this.#inPlace = null
    const ports = portsText(desired.ports)
    const problems = before?.ports === ports ? [] : (await this.#convergePorts(desired.ports)).problems
    if (!before || before.peers !== JSON.stringify(desired.peers)) await this.setNeighbours(desired)
    const watched = JSON.stringify(desired.watched)
    if (!before || before.watched !== watched) await watchEnds(this.paths, desired)
    const vlans = JSON.stringify(desired.vlans)
    if (before?.vlans !== vlans && desired.datapath === 'userspace') await patchVlans(this.paths, desired.vlans)
    const oldMeters = await this.#addMeters(desired.meters, before?.meters ?? null)
    const oldGroups = await this.#addGroups(desired.groups, before?.groups ?? null)
    const flows = this.#flowsOf(desired)
    const flowsChanged = before ? await this.#changeFlows(before.flows, flows) : driftCount(await this.#replaceFlows('br-int', flows))
    const underlay = JSON.stringify(underlayFlows(desired))
    if (before?.underlay !== underlay && desired.datapath === 'userspace') await this.#replaceFlows('br-phy', underlayFlows(desired))
    // With a meter or a group go the flows that use it.
    for (const id of oldMeters) await ofctl(['del-meter', this.target(), `meter=${id}`])
    for (const id of oldGroups) await ofctl(['del-groups', this.target(), `group_id=${id}`])
    if (flowsChanged > 0) this.#dumpHash = null
    const { meters, groups, peers } = desired
    this.#inPlace = { flows, ports: problems.length > 0 ? null : ports, meters, groups, peers: JSON.stringify(peers), watched, vlans, underlay }
    return { flowsChanged, problems }
  }

  /** Makes the next change of flows quicker, at the price of a process that waits. */
  prepareChange(): void {
    this.#changer.prepare()
  }

  /**
   * Finds what others have altered and puts it right; null when nothing was. Costs two dumps when nothing was. `signal`: as long as nothing was
   * found that is wrong, it is left between two steps, or in the middle of one that only reads, and throws.
   */
  async repair(desired: DesiredSwitch, signal: AbortSignal): Promise<Drift | null> {
    const hash = await this.#hash(desired, signal)
    if (this.#dumpHash === hash) return null
    const flows = await this.#replaceFlows('br-int', this.#flowsOf(desired), signal)
    // What has been put right has to be told.
    const whileRight = driftCount(flows) === 0 ? signal : undefined
    const underlay = desired.datapath === 'userspace' ? await this.#replaceFlows('br-phy', underlayFlows(desired), whileRight) : parseFlowDiff('')
    const { changes: ports } = await this.#convergePorts(desired.ports)
    const wrong = new Map([...ports.removed, ...ports.added].map((port) => [port.device, port]))
    const anyWrong = driftCount(flows) + driftCount(underlay) + wrong.size > 0
    const whileAllRight = anyWrong ? undefined : signal
    whileAllRight?.throwIfAborted()
    await watchEnds(this.paths, desired)
    whileAllRight?.throwIfAborted()
    if (desired.datapath === 'userspace') await patchVlans(this.paths, desired.vlans)
    whileAllRight?.throwIfAborted()
    await this.#addGroups(desired.groups, null)
    this.#dumpHash = await this.#hash(desired, whileAllRight)
    return anyWrong ? { ...flows, underlay, ports: [...wrong.values()] } : null
  }

  /** Lets it forward. Nothing else may forward by now. */
  async open(): Promise<void> {
    await openGate(bridgeSocket(this.paths, 'br-int'))
    this.#gated = false
    if (this.#inPlace) this.#inPlace.flows = this.#inPlace.flows.filter((flow) => flow !== gateFlow)
  }

  /** Tells it again where the peers are; see `neighbourPeriodMs`. */
  async setNeighbours({ datapath, peers }: DesiredSwitch): Promise<void> {
    if (datapath === 'kernel') return
    using control = await Unixctl.connect(this.paths.vswitchdControl)
    await setNeighbours(control, peers)
  }

  /** Lets go of it; it goes on as it is. */
  [Symbol.dispose](): void {
    this.#changer[Symbol.dispose]()
  }

  /** Ends it at once and removes its files. */
  end(): Promise<void> {
    this[Symbol.dispose]()
    return endInstance(this.#switchPaths, this.id.number)
  }

  #flowsOf({ flows }: DesiredSwitch): readonly Flow[] {
    return this.#gated ? [gateFlow, ...flows] : flows
  }

  async #setUp(desired: DesiredSwitch): Promise<void> {
    if (desired.datapath === 'userspace') {
      using control = await Unixctl.connect(this.paths.vswitchdControl)
      await routeTunnels(control, desired)
    }
    await this.converge(desired)
    if (desired.datapath === 'kernel') await endFlowRestore(this.paths)
  }

  /** Answers what differed, and why ports are not in place now. */
  async #convergePorts(guests: readonly SwitchPort[]): Promise<{ changes: PortChanges; problems: string[] }> {
    await makeErrorDevice()
    for (const { device } of guests) isolateDevice(device)
    const known = await readPorts(this.paths)
    const changes = portChanges(known, devicePorts(guests))
    await changePorts(this.paths, changes)
    const now = changes.added.length > 0 ? await readPorts(this.paths) : known
    const problems = now
      .filter((port) => port.openflowPort !== port.number && guests.some(({ device }) => device === port.device))
      .map(({ device, number, openflowPort, error }) => {
        const why = error ?? `it has port ${openflowPort ?? 'none'} instead of ${number}`
        return `The device ${device} is not on the switch: ${why}`
      })
    return { changes, problems }
  }

  /** Makes the wanted meters be there; answers the ids of those that nobody wants any more. */
  async #addMeters(wanted: readonly string[], before: readonly string[] | null): Promise<string[]> {
    if (before && JSON.stringify(before) === JSON.stringify(wanted)) return []
    const known = meterIds(await ofctl(['dump-meters', this.target()]))
    for (const meter of wanted) await ofctl([meterIds(meter).some((id) => known.includes(id)) ? 'mod-meter' : 'add-meter', this.target(), meter])
    return known.filter((id) => !wanted.some((meter) => meterIds(meter).includes(id)))
  }

  /** Makes the wanted groups be there; answers the ids of those that nobody wants any more. */
  async #addGroups(wanted: readonly string[], before: readonly string[] | null): Promise<string[]> {
    if (before && JSON.stringify(before) === JSON.stringify(wanted)) return []
    const known = groupIds(await ofctl(['dump-groups', this.target()]))
    for (const group of wanted) if (!before?.includes(group)) await ofctl(['--may-create', 'mod-group', this.target(), group])
    return known.filter((id) => !wanted.some((group) => groupIds(group).includes(id)))
  }

  async #changeFlows(from: readonly Flow[], to: readonly Flow[]): Promise<number> {
    const changes = flowChanges(from, to)
    const count = changes.removed.length + changes.added.length
    if (count > 0) await this.#changer.change(bundleText(changes))
    return count
  }

  /** Makes a bridge's flows these, in one transaction that leaves alone those that are right. Answers how they differed. */
  async #replaceFlows(bridge: Bridge, flows: readonly Flow[], signal?: AbortSignal): Promise<FlowDrift> {
    const file = join(this.paths.directory, `${bridge}.${process.pid}.flows`)
    writeFileSync(file, flows.map(flowLine).join('\n'))
    try {
      const drift = parseFlowDiff(await ofctl(['diff-flows', this.target(bridge), file], { alsoOk: 2, signal }))
      if (driftCount(drift) > 0) await ofctl(['--bundle', 'replace-flows', this.target(bridge), file])
      return drift
    } finally {
      rmSync(file, { force: true })
    }
  }

  async #hash({ datapath, ports: guests }: DesiredSwitch, signal: AbortSignal | undefined): Promise<string> {
    const bridges: Bridge[] = datapath === 'userspace' ? ['br-int', 'br-phy'] : ['br-int']
    const dumps = await Promise.all(bridges.map((bridge) => ofctl(['--no-stats', 'dump-flows', this.target(bridge)], { signal })))
    dumps.push(await ofctl(['dump-groups', this.target()], { signal }))
    const ports = (await readPorts(this.paths)).map((port) => `${port.device} ${port.openflowPort} ${port.deviceIndex}`)
    const hash = createHash('sha256')
    for (const text of [...dumps, ports.sort().join('\n'), portsText(guests)]) hash.update(`${text}\0`)
    return hash.digest('hex')
  }
}

function meterIds(text: string): string[] {
  return [...text.matchAll(/\bmeter=(\d+)/g)].map((found) => found[1]!)
}

function groupIds(text: string): string[] {
  return [...text.matchAll(/\bgroup_id=(\d+)/g)].map((found) => found[1]!)
}

/** Tells ports from others, and from the same ports with devices that were made anew. */
export function portsText(guests: readonly SwitchPort[]): string {
  return devicePorts(guests)
    .map(({ device, number }) => `${device} ${number} ${deviceIndex(device)}`)
    .join('\n')
}

/** What is to be done to the ports of a switch. A device that was made anew is taken out and put in again. */
export function portChanges(
  known: readonly { device: string; number: number; deviceIndex: number | null }[],
  wanted: readonly SwitchPort[],
  indexOf: (device: string) => number | null = deviceIndex,
): PortChanges {
  const right = (device: string): boolean =>
    known.some(
      (port) =>
        port.device === device && port.deviceIndex === indexOf(device) && wanted.some((one) => one.device === device && one.number === port.number),
    )
  return {
    removed: known.filter(({ device }) => !right(device)).map(({ device, number }) => ({ device, number })),
    added: wanted.filter(({ device }) => !right(device)),
  }
}
