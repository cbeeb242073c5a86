import { mkdirSync, rmSync, watch } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { asHoldfastError, HoldfastError } from '../../../core/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import { identifyProcess, isAlive, readPidFile, signalProcess } from '../../runtime/process.ts'
import { broadcastPins, removePins } from '../broadcast/bpf/pins.ts'
import { endInstance, runDatabase } from '../switch/daemons.ts'
import { desiredVersion, readDesired, sameBase, type DesiredSwitch } from '../switch/desired-switch.ts'
import { removeDevices, setPromiscuous } from '../switch/devices.ts'
import { readStatus, writeStatus, type KeeperStatus, type Takeover } from '../switch/keeper-status.ts'
import { OvsInstance, portsText, type InstanceId } from '../switch/ovs-instance.ts'
import { startedInstances, type SwitchPaths } from '../switch/switch-paths.ts'
import { neighbourPeriodMs } from '../switch/underlay.ts'
import { ErrorAnswers } from './error-answers.ts'
import { Pulse } from './pulse.ts'
import { growReceiveBuffers } from './receive-buffers.ts'
import { packetsRead } from './stale-packets.ts'

const lookPeriodMs = 1000
/** The standby is brought in step when the cores have done what the change means for the active one. */
const afterActiveMs = 200
/** After a takeover cores are wanted by what was held up meanwhile. */
const restBeforeStandbyMs = 1000
const longestPauseMs = 30_000

/**
 * Keeps an Open vSwitch forwarding, whether or not the network module lives: one instance is active; where user space forwards, a second
 * one stands by with the same ports and flows behind a gate, frozen, so that it costs nothing. When the active one ends or hangs, it is
 * killed, and the standby thawed and let forward. The role of an instance goes one way only, from standby to active to its end, so that
 * two never forward at once and what was meant for one that has ended reaches nobody.
 *
 * The module writes what is desired to a file and changes the active instance itself; the keeper brings the standby in step.
 */
export class Keeper {
  readonly #paths: SwitchPaths
  readonly #program: string
  readonly #logger: Logger
  readonly #errorAnswers: ErrorAnswers
  #active: OvsInstance | null = null
  #standby: OvsInstance | null = null
  /** What the standby was last brought in step with; null while it must not take over. */
  #standbyHas: string | null = null
  /** What was last read from that file. */
  #desired: (DesiredSwitch & { version: string }) | null = null
  #pulse: Pulse | null = null
  /** Of conntrack in the active one, when it was last asked. */
  #connections: number | null = null
  #restarts = 0
  #lastTakeover: Takeover | null = null
  #problem: string | null = null
  #lastNumber = 0
  #neighboursAtMs = -Infinity
  /** The process and the ports whose receive buffers are as large as they should be. */
  #roomy = ''
  #pauseMs = lookPeriodMs
  /** Nothing is done earlier: something has just failed, or forwarding was just taken over. */
  #notBeforeMs = 0
  #restUntilMs = 0
  #ended = false
  /** What is being done to instances, one thing after the other; a takeover alone does not wait for it. */
  #turn: Promise<void> = Promise.resolve()
  #takeover: Promise<Takeover> | null = null
  #settling: Promise<void> = Promise.resolve()
  #reported = ''
  #ending: Promise<void> | null = null
  #wake: () => void = () => undefined

  constructor(paths: SwitchPaths, program: string, logger: Logger) {
    this.#paths = paths
    this.#program = program
    this.#logger = logger
    this.#errorAnswers = new ErrorAnswers(logger)
  }

  /** Takes over what an earlier keeper left, and keeps it. Resolves when `end` or `leave` was called. */
  async run(): Promise<void> {
    await this.#adopt()
    using _watcher = watchFile(this.#paths.directory, 'desired.json', afterActiveMs, () => this.#wake())
    while (!this.#ended) {
      this.#turn = this.#look()
      await this.#turn
      await this.#pause()
    }
    await this.#takeover?.catch(() => undefined)
    await this.#settling
    await this.#ending
  }

  /** A switch-over that somebody asked for. Throws `busy` while there is nothing to switch over to. */
  async failover(): Promise<Takeover> {
    const deadlineMs = performance.now() + 10_000
    while (this.#active?.id.base.datapath === 'userspace' && this.#standbyHas === null) {
      if (performance.now() > deadlineMs) throw new HoldfastError('busy', 'No standby is ready', 'Try again when the host says that one is.')
      await sleep(50)
    }
    await this.#turn
    if (!this.#active) throw new HoldfastError('busy', 'Nothing forwards on this host yet', 'Wait until its virtual switch is up.')
    return this.#takeOver('asked', performance.now())
  }

  /** Stops keeping; what forwards goes on. */
  leave(): void {
    this.#ended = true
    this.#pulse?.[Symbol.dispose]()
    this.#errorAnswers[Symbol.dispose]()
    this.#wake()
  }

  /** Ends all instances and removes what they need. */
  end(): Promise<void> {
    this.#ending ??= this.#end()
    return this.#ending
  }

  async #end(): Promise<void> {
    this.leave()
    await this.#turn.catch(() => undefined)
    await this.#takeover?.catch(() => undefined)
    await this.#settling
    const nic = this.#active?.id.base.nic
    for (const instance of [this.#active, this.#standby]) await instance?.end()
    if (nic !== undefined) await setPromiscuous(nic, false)
    await removeDevices()
    removePins(broadcastPins(this.#paths.run))
    rmSync(this.#paths.directory, { recursive: true, force: true })
  }

  async #adopt(): Promise<void> {
    mkdirSync(this.#paths.directory, { recursive: true, mode: 0o700 })
    this.#lastNumber = Math.max(0, ...startedInstances(this.#paths))
    const status = readStatus(this.#paths.status)
    // What an earlier keeper had started and not yet told of.
    const known = [status?.active?.number, status?.standby?.number]
    for (const number of startedInstances(this.#paths)) if (!known.includes(number)) await endInstance(this.#paths, number)
    if (!status) return
    const adopt = (id: InstanceId | null, gated: boolean): OvsInstance | null => id && new OvsInstance(this.#paths, id, gated)
    this.#standby = adopt(status.standby, true)
    // It was complete, or the status would not name it.
    if (this.#standby) this.#standbyHas = 'unknown'
    this.#restarts = status.restarts
    this.#lastTakeover = status.lastTakeover
    if (status.active) this.#activate(adopt(status.active, false)!)
    this.#report()
  }

  /** One look at everything, and what has to be done. */
  async #look(): Promise<void> {
    const keeper = readPidFile(this.#paths.keeperPidFile)
    // Two would fight each other.
    if (keeper && keeper.pid !== process.pid) return this.leave()
    await this.#takeover?.catch(() => undefined)
    await this.#settling
    const version = desiredVersion(this.#paths.desired)
    if (version !== this.#desired?.version) {
      const read = readDesired(this.#paths.desired)
      this.#desired = read && { ...read, version }
      this.#notBeforeMs = this.#restUntilMs
      this.#pauseMs = lookPeriodMs
    }
    const desired = this.#desired
    if (!desired || this.#ended || performance.now() < this.#notBeforeMs) return
    try {
      if (!this.#active) this.#activate(await OvsInstance.start(this.#paths, ++this.#lastNumber, desired, false))
      // It ended just when another takeover was under way.
      else if (!this.#active.running) await this.#takeOver('killed', performance.now())
      this.#errorAnswers.attend()
      this.#makeRoom(desired)
      this.#keepDatabases()
      await this.#keepStandby(desired)
      if (this.#active && !sameBase(this.#active.id.base, desired)) await this.#takeOver('asked', performance.now())
      this.#problem = null
      this.#pauseMs = lookPeriodMs
    } catch (thrown) {
      this.#problem = asHoldfastError(thrown).message
      this.#logger.error('the virtual switch is not as it should be', { cause: thrown })
      this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs)
      this.#notBeforeMs = performance.now() + this.#pauseMs
    }
    this.#report()
  }

  /** The one that forwards gets room for packets; a frozen standby would only fill it with what it is to throw away. */
  #makeRoom(desired: DesiredSwitch & { version: string }): void {
    if (!this.#active || desired.datapath === 'kernel') return
    const { pid } = this.#active.id.vswitchd
    const state = `${pid}\n${stateOf(desired)}`
    if (state === this.#roomy) return
    this.#roomy = state
    try {
      growReceiveBuffers(pid)
    } catch (cause) {
      this.#logger.warn('ovs-vswitchd has little room for packets', { cause })
    }
  }

  #keepDatabases(): void {
    for (const instance of [this.#active, this.#standby]) {
      if (!instance || isAlive(instance.id.ovsdb) || !instance.running) continue
      instance.id.ovsdb = runDatabase(this.#paths, instance.id.number)
      this.#logger.warn('a database of Open vSwitch had ended and was started again', { number: instance.id.number })
    }
  }

  /** Has a standby that is as desired. */
  async #keepStandby(desired: DesiredSwitch & { version: string }): Promise<void> {
    if (desired.datapath === 'kernel') return
    const old = this.#standby
    if (old && (!old.running || !sameBase(old.id.base, desired))) {
      if (!old.running) this.#restarts++
      this.#dropStandby()
      await old.end()
    }
    const state = stateOf(desired)
    if (!this.#standby) {
      this.#standby = await OvsInstance.start(this.#paths, ++this.#lastNumber, desired, true)
      this.#freeze(this.#standby, state)
      return
    }
    const refresh = performance.now() - this.#neighboursAtMs >= neighbourPeriodMs
    if (state !== this.#standbyHas || refresh) await this.#bringInStep(this.#standby, desired, state, refresh)
  }

  async #bringInStep(standby: OvsInstance, desired: DesiredSwitch, state: string, refresh: boolean): Promise<void> {
    signalProcess(standby.id.vswitchd, 'SIGCONT')
    let has = this.#standbyHas
    try {
      await standby.converge(desired)
      has = state
      if (refresh) {
        await standby.setNeighbours(desired)
        await this.#active?.setNeighbours(desired)
        this.#neighboursAtMs = performance.now()
      }
      // It may have taken over meanwhile: once more, without the gate.
      if (this.#standby !== standby) await standby.converge(desired)
    } finally {
      if (this.#standby === standby) this.#freeze(standby, has)
    }
  }

  #freeze(standby: OvsInstance, has: string | null): void {
    signalProcess(standby.id.vswitchd, 'SIGSTOP')
    this.#standbyHas = has
    this.#report()
  }

  #dropStandby(): void {
    this.#standby = null
    this.#standbyHas = null
  }

  #activate(instance: OvsInstance): void {
    this.#active = instance
    this.#pulse?.[Symbol.dispose]()
    this.#connections = null
    this.#pulse = new Pulse({
      process: instance.id.vswitchd,
      control: instance.paths.vswitchdControl,
      // What would be lost with it, once it can be asked no more.
      question: instance.id.base.datapath === 'kernel' ? ['version'] : ['dpctl/ct-get-nconns', 'dummy@ovs-dummy'],
      onAnswer: (answer) => (this.#connections = Number(answer)),
      onLost: (reason, lastSignMs) => void this.#takeOver(reason, lastSignMs).catch(() => this.#wake()),
    })
  }

  #takeOver(reason: Takeover['reason'], lastSignMs: number): Promise<Takeover> {
    this.#takeover ??= this.#switchOver(reason, lastSignMs).finally(() => (this.#takeover = null))
    return this.#takeover
  }

  async #switchOver(reason: Takeover['reason'], lastSignMs: number): Promise<Takeover> {
    const startMs = performance.now()
    const old = this.#active
    this.#active = null
    this.#pulse?.[Symbol.dispose]()
    if (old) signalProcess(old.id.vswitchd, 'SIGKILL')
    if (reason !== 'asked') this.#restarts++
    const had = this.#standbyHas
    const standby = had === null ? null : await this.#thaw()
    try {
      const next = standby ?? (await this.#startInPlace())
      const nowMs = performance.now()
      const takeover: Takeover = {
        atMs: Date.now(),
        reason,
        way: standby ? 'standby' : 'restart',
        tookMs: Math.round(nowMs - startMs),
        outageMs: Math.round(nowMs - Math.min(lastSignMs, startMs)),
        connectionsCut: next.id.base.datapath === 'kernel' ? 0 : this.#connections,
      }
      this.#activate(next)
      this.#lastTakeover = takeover
      this.#restUntilMs = nowMs + restBeforeStandbyMs
      this.#notBeforeMs = this.#restUntilMs
      this.#report()
      this.#logger.warn('forwarding was taken over', { ...takeover })
      return takeover
    } finally {
      this.#settling = this.#settle(old, had)
    }
  }

  /** The standby, forwarding; null when it cannot. */
  async #thaw(): Promise<OvsInstance | null> {
    const standby = this.#standby
    this.#dropStandby()
    if (!standby) return null
    try {
      signalProcess(standby.id.vswitchd, 'SIGCONT')
      await packetsRead(standby.id.vswitchd.pid)
      await standby.open()
      return standby
    } catch (cause) {
      this.#logger.error('the standby could not take over', { cause })
      await standby.end()
      return null
    }
  }

  async #startInPlace(): Promise<OvsInstance> {
    const desired = readDesired(this.#paths.desired)
    if (!desired) throw new HoldfastError('internal', `${this.#paths.desired} is gone`, 'Restart the network module.')
    return OvsInstance.start(this.#paths, ++this.#lastNumber, desired, false)
  }

  /** What remains to be done after a takeover. `had`: what the standby had been brought in step with. */
  async #settle(old: OvsInstance | null, had: string | null): Promise<void> {
    try {
      const active = this.#active
      if (active?.id.base.datapath === 'userspace') await setPromiscuous(active.id.base.nic, true)
      if (active && this.#desired && had !== null && had !== stateOf(this.#desired)) await active.converge(this.#desired)
    } catch (cause) {
      this.#logger.error('the switch that took over is not as it should be', { cause })
    } finally {
      await old?.end()
    }
  }

  #report(): void {
    const status: KeeperStatus = {
      keeper: identifyProcess(process.pid)!,
      program: this.#program,
      active: this.#active?.id ?? null,
      standby: this.#standby?.id ?? null,
      ready: this.#standbyHas !== null,
      restarts: this.#restarts,
      lastTakeover: this.#lastTakeover,
      problem: this.#problem,
      desired: this.#desired?.version ?? '',
    }
    const text = JSON.stringify(status)
    if (this.#ended || text === this.#reported) return
    writeStatus(this.#paths.status, status)
    this.#reported = text
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, lookPeriodMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
      if (this.#ended) this.#wake()
    })
  }
}

/** Tells what is desired, and whether a guest's device was made anew meanwhile. */
function stateOf(desired: DesiredSwitch & { version: string }): string {
  return `${desired.version}\n${portsText(desired.ports)}`
}

/** Calls back a while after a file has changed. */
function watchFile(directory: string, name: string, afterMs: number, onChange: () => void): Disposable {
  let timer: NodeJS.Timeout | undefined
  const watcher = watch(directory, (_, file) => {
    if (file !== name) return
    clearTimeout(timer)
    timer = setTimeout(onChange, afterMs)
  })
  return {
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      watcher.close()
    },
  }
}
