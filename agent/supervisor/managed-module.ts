import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { asHoldfastError, HoldfastError } from '../../core/errors.ts'
import type { Severity } from '../../core/model/event.ts'
import type { Module, ModuleState } from '../../core/model/module.ts'
import type { AgentPaths } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import { endProcess, isAlive, signalProcess, type ProcessId } from '../runtime/process.ts'
import type { Journal } from './journal.ts'
import { askModule, isInstalled, socketPath, startModule } from './module-process.ts'
import { Silence } from './silence.ts'
import { advance, begin, effectOf, recover, serving, type Effect, type Instance, type ModuleRecord, type Outcome } from './swap.ts'

/** How patient the supervisor is, in milliseconds. */
export interface ModuleTiming {
  /** Between looks at whether the process is there; one that this supervisor started tells its end at once. */
  lookMs: number
  /** Between questions after its health. */
  healthMs: number
  /** Longest wait for an answer about health. */
  answerMs: number
  /** Without an answer for this long while it could run, a module hangs: it is ended and started again. */
  hangMs: number
  /** Time for a candidate to pass the gate. */
  gateMs: number
  /** How long a candidate that acts is watched before the swap is kept. */
  proveMs: number
  /** For `release` and for `activate`. */
  handOverMs: number
  /** Between SIGTERM and SIGKILL. */
  graceMs: number
  /** First pause before a restart; doubles with each until `backoffMaxMs`. */
  backoffMs: number
  backoffMaxMs: number
}

export const defaultTiming: ModuleTiming = {
  lookMs: 500,
  healthMs: 2_000,
  answerMs: 1_000,
  hangMs: 5_000,
  gateMs: 15_000,
  proveMs: 3_000,
  handOverMs: 5_000,
  graceMs: 3_000,
  backoffMs: 100,
  backoffMaxMs: 10_000,
}

/** A run this long ends the memory of earlier crashes. */
const stableMs = 30_000

const healthSchema = z.object({ healthy: z.boolean(), reason: z.string().optional(), activity: z.enum(['standby', 'active', 'released']) })

export interface ManagedModuleOptions {
  name: string
  host: string
  paths: AgentPaths
  journal: Journal
  logger: Logger
  timing: ModuleTiming
  /** Version that runs where the journal names none. */
  firstVersion: string
  emit(type: string, severity: Severity, message: string, about: string[], data?: Record<string, unknown>): void
  onChange(): void
}

/** Keeps one module running, and swaps its version. Everything happens in one loop, so watching and swapping never meet. */
export class ManagedModule {
  readonly #options: ManagedModuleOptions
  readonly #processes = new Map<number, { id: ProcessId; startedAtMs: number }>()
  readonly #exits = new Map<number, string>()
  #state: ModuleState = 'starting'
  #restarts = 0
  #failedInRow = 0
  #restartAtMs = 0
  /** How long the current instance has not said how it is, and whether it ever said so. */
  readonly #silence = new Silence()
  #answered = false
  #askedAtMs = 0
  #request: { version: string; settle: (thrown?: unknown) => void } | undefined
  #wake = () => {}
  #stopped = false
  #loop: Promise<void> = Promise.resolve()

  constructor(options: ManagedModuleOptions) {
    this.#options = options
  }

  /** Takes over what runs (`found`, by socket path), undoes a swap that a dead supervisor left, and begins to watch. */
  start(found: Map<string, ProcessId>): void {
    const { name, journal, paths, firstVersion, logger } = this.#options
    const before = journal.get(name)
    const record = before ? recover(before) : { current: { version: firstVersion, generation: journal.nextGeneration() } }
    if (record !== before) journal.set(name, record)
    for (const instance of [record.current, ...(record.swap ? [record.swap.other] : [])]) {
      const id = found.get(socketPath(paths, name, instance))
      if (!id) continue
      this.#processes.set(instance.generation, { id, startedAtMs: Date.now() })
      logger.info('module adopted', { module: name, ...instance, pid: id.pid })
    }
    this.#spoke(record.current)
    this.#loop = this.#run()
  }

  /** Swaps to another version; resolves when that is kept. Throws `not-found`, `busy` or `upgrade-rolled-back`. */
  async upgrade(version: string): Promise<void> {
    const { name, paths } = this.#options
    if (!isInstalled(paths, name, version)) {
      throw new HoldfastError(
        'not-found',
        `Version ${version} of ${name} is not installed on ${this.#options.host}`,
        'Install it first: holdfast host upgrade.',
        { version },
      )
    }
    if (this.#request || this.#record().swap) {
      throw new HoldfastError('busy', `${name} on ${this.#options.host} is being upgraded already`, 'Wait until that upgrade is over.')
    }
    if (this.#record().current.version === version) return
    await new Promise<void>((resolve, reject) => {
      this.#request = { version, settle: (thrown) => (thrown === undefined ? resolve() : reject(asHoldfastError(thrown))) }
      this.#wake()
    })
  }

  /** The socket that calls go to; null while no instance runs. */
  get socket(): string | null {
    const { name, paths, journal } = this.#options
    const record = journal.get(name)
    if (!record) return null
    const instance = serving(record)
    return this.#processes.has(instance.generation) ? socketPath(paths, name, instance) : null
  }

  /** The module as the inventory knows it. */
  get doc(): Module {
    const record = this.#record()
    const instance = serving(record)
    const running = this.#processes.get(instance.generation)
    return {
      host: this.#options.host,
      name: this.#options.name,
      version: instance.version,
      state: record.swap ? 'upgrading' : this.#state,
      pid: running?.id.pid ?? 0,
      startedAtMs: running?.startedAtMs ?? 0,
      restarts: this.#restarts,
      ...(record.previousVersion === undefined ? {} : { previousVersion: record.previousVersion }),
    }
  }

  /** Stops watching; the module goes on. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#wake()
    await this.#loop
  }

  #record(): ModuleRecord {
    return this.#options.journal.get(this.#options.name)!
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#turn()
      } catch (cause) {
        this.#options.logger.error('a turn of the watch failed', { module: this.#options.name, cause })
      }
      this.#options.onChange()
      if (this.#stopped || this.#request) continue
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, this.#options.timing.lookMs)
        this.#wake = () => (clearTimeout(timer), resolve())
      })
    }
  }

  async #turn(): Promise<void> {
    const { name, journal, logger } = this.#options
    if (this.#record().swap) return void (await this.#swap())
    const request = this.#request
    if (!request) return this.#tend()
    this.#request = undefined
    const from = this.#record().current.version
    logger.info('swap begins', { module: name, from, to: request.version })
    journal.set(name, begin(this.#record(), request.version, journal.nextGeneration()))
    const reason = await this.#swap()
    if (reason === undefined) request.settle()
    else
      request.settle(
        new HoldfastError(
          'upgrade-rolled-back',
          `${name} stays at ${from}: ${request.version} ${reason}`,
          `See /var/log/holdfast/${name}.log on ${this.#options.host}.`,
          {
            version: request.version,
            reason,
          },
        ),
      )
  }

  /** Drives a swap to its end. Answers why it was undone, or undefined when it was kept. */
  async #swap(): Promise<string | undefined> {
    const { name, host, journal, logger, onChange, emit } = this.#options
    let reason: string | undefined
    for (let record = this.#record(), effect = effectOf(record); effect; record = this.#record(), effect = effectOf(record)) {
      onChange()
      const outcome = await this.#perform(effect)
      if (!outcome.ok) logger.warn('swap step failed', { module: name, step: effect.do, reason: outcome.reason })
      const next = advance(record, outcome)
      journal.set(name, next)
      if (next.swap?.phase === 'undoing') reason = next.swap.reason ?? 'failed'
      if (record.swap?.phase === 'retiring') {
        emit('module-upgraded', 'info', `${name} on ${host} runs ${record.current.version}`, [`module/${host}/${name}`], {
          version: record.current.version,
          from: record.previousVersion,
        })
      } else if (record.swap?.phase === 'undoing') {
        reason ??= record.swap.reason
        emit(
          'upgrade-rolled-back',
          'error',
          `${name} on ${host} stays at ${record.current.version}: ${record.swap.other.version} ${reason}`,
          [`module/${host}/${name}`],
          {
            version: record.swap.other.version,
            reason,
          },
        )
      }
    }
    this.#spoke(this.#record().current)
    return reason
  }

  async #perform(effect: Effect): Promise<Outcome> {
    switch (effect.do) {
      case 'start-standby':
        this.#start(effect.instance, true)
        return this.#passGate(effect.instance)
      case 'hand-over':
        return this.#handOver(effect.from, effect.to)
      case 'prove':
        return this.#prove(effect.instance)
      case 'end-and-reactivate':
        await this.#end(effect.end)
        await this.#activate(effect.activate).catch((cause: unknown) => {
          this.#options.logger.error('the old version did not take over again and is started anew', { module: this.#options.name, cause })
          const running = this.#processes.get(effect.activate.generation)
          if (running) signalProcess(running.id, 'SIGKILL')
        })
        return { ok: true }
      case 'end':
        await this.#end(effect.instance)
        return { ok: true }
    }
  }

  /** Waits until a candidate in standby was well three times in a row. */
  async #passGate(candidate: Instance): Promise<Outcome> {
    const untilMs = performance.now() + this.#options.timing.gateMs
    let wells = 0
    let last = 'did not answer'
    while (performance.now() < untilMs) {
      if (!this.#alive(candidate)) return { ok: false, reason: `crashed before it was ready: ${this.#exits.get(candidate.generation) ?? 'ended'}` }
      const health = await this.#health(candidate).catch(() => null)
      wells = health?.healthy ? wells + 1 : 0
      if (wells === 3) return { ok: true }
      if (health && !health.healthy) last = `is unhealthy: ${health.reason ?? 'no reason given'}`
      await sleep(100)
    }
    return { ok: false, reason: `did not pass its health gate within ${this.#options.timing.gateMs} ms: ${last}` }
  }

  /** Nothing is written to disk between release and activation: that gap is what the swap is measured by. */
  async #handOver(from: Instance, to: Instance): Promise<Outcome> {
    const { name, logger, timing, paths } = this.#options
    let handover: unknown
    try {
      const answer = await askModule(socketPath(paths, name, from), 'POST', '/internal/release', { timeoutMs: timing.handOverMs })
      handover = (answer as { handover?: unknown }).handover
    } catch (cause) {
      // A version that cannot even let go must not keep its successor away.
      logger.warn('the old version did not release and is ended', { module: name, cause })
      const running = this.#processes.get(from.generation)
      if (running) signalProcess(running.id, 'SIGKILL')
    }
    try {
      await this.#activate(to, handover)
      return { ok: true }
    } catch (thrown) {
      return { ok: false, reason: `did not take over: ${asHoldfastError(thrown).data.reason ?? asHoldfastError(thrown).message}` }
    }
  }

  /** Watches a candidate that acts; one bad answer is forgiven, a crash is not. */
  async #prove(candidate: Instance): Promise<Outcome> {
    const untilMs = performance.now() + this.#options.timing.proveMs
    let bad = 0
    while (performance.now() < untilMs) {
      if (!this.#alive(candidate)) return { ok: false, reason: `crashed after it took over: ${this.#exits.get(candidate.generation) ?? 'ended'}` }
      const health = await this.#health(candidate).catch(() => null)
      bad = health?.healthy && health.activity === 'active' ? 0 : bad + 1
      if (bad === 2)
        return {
          ok: false,
          reason: health ? `is unhealthy after it took over: ${health.reason ?? 'no reason given'}` : 'stopped answering after it took over',
        }
      await sleep(Math.min(200, this.#options.timing.proveMs / 4))
    }
    return { ok: true }
  }

  /** One look at a module that is not being swapped. */
  async #tend(): Promise<void> {
    const { name, timing, logger } = this.#options
    const { current } = this.#record()
    const nowMs = performance.now()
    if (!this.#alive(current)) return this.#revive(current)
    if (nowMs - this.#askedAtMs < timing.healthMs && this.#state === 'running') return
    this.#askedAtMs = nowMs
    let health: z.infer<typeof healthSchema>
    try {
      health = await this.#health(current)
    } catch (cause) {
      const patienceMs = this.#answered ? timing.hangMs : timing.gateMs
      const silent = this.#processes.get(current.generation)
      if (!silent || !this.#alive(current) || this.#silence.ms(silent.id.pid) < patienceMs) return
      logger.error('the module hangs and is ended', { module: name, cause })
      this.#exits.set(current.generation, `gave no answer for ${patienceMs} ms`)
      await endProcess(silent.id, 0)
      return
    }
    this.#answered = true
    this.#spoke(current)
    this.#state = health.healthy ? 'running' : health.activity === 'active' ? 'unhealthy' : 'starting'
    if (health.healthy && Date.now() - (this.#processes.get(current.generation)?.startedAtMs ?? 0) > stableMs) this.#failedInRow = 0
    if (health.activity === 'active') return
    // Its start is not over yet, or a supervisor died between an undone swap and this.
    await this.#activate(current).catch((cause: unknown) => logger.warn('the module is not active yet', { module: name, cause }))
  }

  /** Starts the module again, later each time it fails. */
  #revive(dead: Instance): void {
    const { name, host, journal, timing, emit } = this.#options
    const nowMs = performance.now()
    const known = this.#processes.get(dead.generation)
    if (known) {
      const how = this.#exits.get(dead.generation) ?? 'ended while no supervisor watched'
      const pauseMs = Math.min(timing.backoffMaxMs, timing.backoffMs * 2 ** Math.min(this.#failedInRow++, 20))
      this.#restartAtMs = nowMs + pauseMs
      this.#restarts++
      this.#state = 'restarting'
      this.#forget(dead)
      emit('module-restarted', 'warning', `${name} on ${host} ${how} and is started again`, [`module/${host}/${name}`], {
        version: dead.version,
        how,
        pauseMs,
      })
    }
    if (nowMs < this.#restartAtMs) return
    const instance = { version: dead.version, generation: journal.nextGeneration() }
    journal.set(name, { ...this.#record(), current: instance })
    this.#start(instance, false)
  }

  #start(instance: Instance, standby: boolean): void {
    const { name, paths, logger } = this.#options
    const id = startModule(paths, name, instance, {
      standby,
      onExit: (how) => {
        if (!this.#exits.has(instance.generation)) this.#exits.set(instance.generation, how)
        this.#wake()
      },
    })
    logger.info('module started', { module: name, ...instance, standby, pid: id?.pid })
    // A start that failed at once is kept as a process that is not alive, so that it counts as a crash.
    this.#processes.set(instance.generation, { id: id ?? { pid: 2 ** 30, startTicks: '' }, startedAtMs: Date.now() })
    this.#answered = false
    this.#spoke(instance)
  }

  #spoke(instance: Instance): void {
    const running = this.#processes.get(instance.generation)
    if (running) this.#silence.end(running.id.pid)
  }

  #alive(instance: Instance): boolean {
    const running = this.#processes.get(instance.generation)
    return running !== undefined && isAlive(running.id)
  }

  async #end(instance: Instance): Promise<void> {
    const running = this.#processes.get(instance.generation)
    if (running) await endProcess(running.id, this.#options.timing.graceMs)
    this.#forget(instance)
  }

  #forget(instance: Instance): void {
    this.#processes.delete(instance.generation)
    this.#exits.delete(instance.generation)
    rmSync(socketPath(this.#options.paths, this.#options.name, instance), { force: true })
  }

  async #activate(instance: Instance, handover?: unknown): Promise<void> {
    const { name, paths, timing } = this.#options
    await askModule(socketPath(paths, name, instance), 'POST', '/internal/activate', { body: { handover }, timeoutMs: timing.handOverMs })
  }

  async #health(instance: Instance): Promise<z.infer<typeof healthSchema>> {
    const { name, paths, timing } = this.#options
    return healthSchema.parse(await askModule(socketPath(paths, name, instance), 'GET', '/internal/health', { timeoutMs: timing.answerMs }))
  }
}
