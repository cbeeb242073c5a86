import { existsSync, mkdirSync, watch } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../../../core/errors.ts'
import type { Flow } from '../../../core/net/openflow/flow.ts'
import { sameJson } from '../../../core/sync/same-json.ts'
import { runProgram } from '../../runtime/programs.ts'
import { desiredVersion, sameBase, writeDesired, type Datapath, type DesiredSwitch } from './desired-switch.ts'
import { parseFlowDump, type FlowStats } from './flow-changes.ts'
import { KeeperProcess } from './keeper-process.ts'
import { readStatus, type KeeperStatus, type Takeover } from './keeper-status.ts'
import { ofctl } from './ovs-programs.ts'
import { OvsInstance, type Converged, type Drift } from './ovs-instance.ts'
import { switchPaths, type Bridge, type SwitchPaths } from './switch-paths.ts'

export type { Converged, Drift } from './ovs-instance.ts'
export type { DesiredSwitch, SwitchPort } from './desired-switch.ts'

/** Starting two daemons takes a third of a second; a starved machine takes longer. */
const startLimitMs = 30_000
const watchPeriodMs = 1000
/** After a change others want the cores. */
const prepareAfterMs = 500

export interface VirtualSwitchOptions {
  /** Directories of the agent: `agentPaths()`. */
  run: string
  log: string
  /** The keeper's program: agent/network/keeper/main.ts, or its bundle. */
  keeperProgram: string
}

/**
 * The Open vSwitch of this host, for the module that decides what it is to be. It goes on forwarding when the module ends; another
 * `VirtualSwitch` finds it as it is and changes only what differs. See `Keeper` for what watches over it.
 */
export class VirtualSwitch implements Disposable {
  readonly #paths: SwitchPaths
  readonly #keeper: KeeperProcess
  #datapath: Datapath | null = null
  #instance: OvsInstance | null = null
  #desired: DesiredSwitch | null = null
  #preparing: NodeJS.Timeout | undefined

  constructor({ run, log, keeperProgram }: VirtualSwitchOptions) {
    this.#paths = switchPaths(run, log)
    this.#keeper = new KeeperProcess(this.#paths, keeperProgram)
  }

  /** What forwards on this host: the kernel where it can. */
  async datapath(): Promise<Datapath> {
    this.#datapath ??= (await kernelForwards()) ? 'kernel' : 'userspace'
    return this.#datapath
  }

  /**
   * Makes the switch what is desired: starts or adopts it, then changes what differs, flows in one transaction. Calls must not overlap.
   * Throws `system-unsupported` without Open vSwitch, `step-failed` with its words (then all flows are as they were), `timeout` and
   * `module-unhealthy`; call it again then.
   */
  async converge(wanted: Omit<DesiredSwitch, 'datapath'>): Promise<Converged> {
    const desired: DesiredSwitch = { ...wanted, datapath: await this.datapath() }
    const found = this.#known(this.status())
    // What the keeper is to bring back is proven first, unless there is nothing yet to prove it with.
    if (!found?.running || !sameBase(found.id.base, desired)) this.#write(desired)
    await this.#keeper.ensure()
    const converged = await this.#convergeActive(desired)
    this.#write(desired)
    clearTimeout(this.#preparing)
    this.#preparing = setTimeout(() => this.#instance?.prepareChange(), prepareAfterMs).unref()
    return converged
  }

  /**
   * Puts right what others have altered since, and says what it was; null when nothing was. Must not overlap with `converge`, and comes after
   * it. `signal`: as long as nothing was found that is wrong, it is given up, and throws.
   */
  async repair(signal: AbortSignal = new AbortController().signal): Promise<Drift | null> {
    if (!this.#desired) return null
    return (await this.#active(this.#desired)).repair(this.#desired, signal)
  }

  /** Flows of a bridge as they are now, in the switch's own writing, with what they have matched. */
  async flowStats(bridge: Bridge = 'br-int'): Promise<FlowStats[]> {
    return parseFlowDump(await ofctl(['dump-flows', this.target(bridge)]))
  }

  /** The same without statistics. */
  async readFlows(bridge: Bridge = 'br-int'): Promise<Flow[]> {
    return (await this.flowStats(bridge)).map(({ packets: _packets, bytes: _bytes, ...flow }) => flow)
  }

  /** Runs a command of ovs-vswitchd(8) on the one that forwards, e.g. `ofproto/trace`, and answers what it prints. */
  control(command: string, ...params: string[]): Promise<string> {
    return this.#present().control(command, ...params)
  }

  /** How `ovs-ofctl` reaches a bridge of the one that forwards now. Throws `module-unhealthy` while none does. */
  target(bridge: Bridge = 'br-int'): string {
    return this.#present().target(bridge)
  }

  /** What the keeper last said; null before there was one. */
  status(): KeeperStatus | null {
    return readStatus(this.#paths.status)
  }

  /**
   * Calls back with the keeper's word whenever it changes; when the active instance is another one, `converge` is due. A keeper that has
   * ended is started again.
   */
  watch(onChange: (status: KeeperStatus) => void, onError: (error: unknown) => void): Disposable {
    let last = ''
    const look = (): void => {
      const status = this.status()
      const text = JSON.stringify(status)
      if (status && text !== last) onChange(status)
      last = text
    }
    mkdirSync(this.#paths.directory, { recursive: true, mode: 0o700 })
    const watcher = watch(this.#paths.directory, (_, file) => {
      if (file === 'status.json') look()
    })
    const timer = setInterval(() => {
      look()
      if (this.#desired && !this.#keeper.id) this.#keeper.ensure().catch(onError)
    }, watchPeriodMs)
    look()
    return {
      [Symbol.dispose]: () => {
        watcher.close()
        clearInterval(timer)
      },
    }
  }

  /** Switches over to the standby, or to a new start where the kernel forwards. Throws `busy` while no standby is ready. */
  async failover(): Promise<Takeover> {
    return (await this.#keeper.request('failover')) as Takeover
  }

  /** Lets go of it; it goes on as it is. */
  [Symbol.dispose](): void {
    clearTimeout(this.#preparing)
    this.#instance?.[Symbol.dispose]()
    this.#instance = null
  }

  /** Ends it all and leaves nothing of it on the host. */
  async remove(): Promise<void> {
    this[Symbol.dispose]()
    await this.#keeper.end()
    this.#desired = null
  }

  async #convergeActive(desired: DesiredSwitch): Promise<Converged> {
    const instance = await this.#active(desired)
    try {
      return await instance.converge(desired)
    } catch (thrown) {
      // Another one has taken over in the middle of it.
      const next = await this.#active(desired)
      if (next === instance) throw thrown
      return next.converge(desired)
    }
  }

  #write(desired: DesiredSwitch): void {
    if (!sameJson(desired, this.#desired) || !existsSync(this.#paths.desired)) {
      mkdirSync(this.#paths.directory, { recursive: true, mode: 0o700 })
      writeDesired(this.#paths.desired, desired)
    }
    this.#desired = desired
  }

  /** The active instance on this base; waits for one to come. */
  async #active(desired: DesiredSwitch): Promise<OvsInstance> {
    const deadlineMs = performance.now() + startLimitMs
    for (;;) {
      const status = this.status()
      const instance = this.#known(status)
      if (instance?.running && sameBase(instance.id.base, desired)) return instance
      if (!instance && status?.problem && status.desired === desiredVersion(this.#paths.desired)) {
        throw new HoldfastError('step-failed', status.problem, 'See keeper.log and ovs-vswitchd.log on that host.')
      }
      if (performance.now() > deadlineMs)
        throw new HoldfastError('timeout', status?.problem ?? 'Open vSwitch does not come up', 'See keeper.log and ovs-vswitchd.log on that host.')
      await sleep(10)
    }
  }

  #present(): OvsInstance {
    const instance = this.#known(this.status())
    if (instance) return instance
    throw new HoldfastError('module-unhealthy', 'No virtual switch forwards on this host', 'Wait a moment; the keeper starts one.')
  }

  /** The object for the active instance, which remembers what it has put there. */
  #known(status: KeeperStatus | null): OvsInstance | null {
    if (!status?.active) return null
    if (status.active.number !== this.#instance?.id.number || status.active.vswitchd.pid !== this.#instance.id.vswitchd.pid) {
      this.#instance?.[Symbol.dispose]()
      this.#instance = new OvsInstance(this.#paths, status.active, false)
    }
    return this.#instance
  }
}

async function kernelForwards(): Promise<boolean> {
  if (existsSync('/sys/module/openvswitch')) return true
  return runProgram(['modprobe', 'openvswitch']).then(
    () => existsSync('/sys/module/openvswitch'),
    () => false,
  )
}
