import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Env } from '../../core/env.ts'
import type { Event, Severity } from '../../core/model/event.ts'
import { eventSchema } from '../../core/model/event.ts'
import type { ObjectLog } from '../../core/sync/object-log.ts'
import type { Logger } from './logger.ts'

interface StoredEvent {
  number: number
  doc: Event
}

export interface EventLogOptions {
  env: Env
  log: ObjectLog
  logger: Logger
  /** Origin of the events. */
  host: string
  /** Part of the agent that reports them: its numbers are its own. */
  module: string
  /** File that keeps them across restarts, one JSON document a line. */
  path: string
  /** How many are kept. Default 1,000. */
  keep?: number
}

/**
 * The events of one module, put into its ObjectLog with ids `host/module-number`. Numbers rise and never repeat:
 * each is at least the wall clock in milliseconds and above the last one on disk.
 * While the module is not active (its twin of another version owns the file) events wait in memory.
 */
export class EventLog {
  readonly #options: EventLogOptions & { keep: number }
  readonly #kept: number[] = []
  #linesOnDisk = 0
  #last = 0
  #active = false
  #waiting: Event[] = []

  constructor(options: EventLogOptions) {
    this.#options = { keep: 1000, ...options }
  }

  /** Records that something happened. `about` names objects as `kind/id`. */
  emit(type: string, severity: Severity, message: string, about: string[] = [], data: Record<string, unknown> = {}): void {
    const { env, host, keep } = this.#options
    const doc: Event = { origin: host, atMs: Math.trunc(env.wallMs()), severity, type, message, about, data }
    if (!this.#active) {
      this.#waiting.push(doc)
      if (this.#waiting.length > keep) this.#waiting.shift()
      return
    }
    const event = { number: this.#nextNumber(), doc }
    this.#persist(event)
    this.#report(event)
  }

  /** Takes the file over, reports what it holds and then what waited. */
  activate(): void {
    if (this.#active) return
    this.#active = true
    const stored = this.#read()
    this.#linesOnDisk = stored.length
    for (const event of stored.slice(-this.#options.keep)) {
      if (event.number <= this.#last) continue
      this.#last = event.number
      this.#report(event)
    }
    const waiting = this.#waiting
    this.#waiting = []
    for (const doc of waiting) {
      const event = { number: this.#nextNumber(), doc }
      this.#persist(event)
      this.#report(event)
    }
  }

  /** Lets go of the file. */
  release(): void {
    this.#active = false
  }

  #nextNumber(): number {
    this.#last = Math.max(this.#last + 1, Math.trunc(this.#options.env.wallMs()))
    return this.#last
  }

  #report({ number, doc }: StoredEvent): void {
    const { log, host, module, keep } = this.#options
    log.put({ kind: 'event', id: `${host}/${module}-${number}`, atMs: doc.atMs, doc })
    this.#kept.push(number)
    if (this.#kept.length > keep) log.del('event', `${host}/${module}-${this.#kept.shift()}`)
  }

  /** Appends; rewrites the file when it holds twice what is kept. A full disk costs the record after a restart, not the event. */
  #persist(event: StoredEvent): void {
    const { path, keep, logger } = this.#options
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      appendFileSync(path, `${JSON.stringify(event)}\n`, { mode: 0o600 })
      this.#linesOnDisk++
      if (this.#linesOnDisk >= keep * 2) {
        const lines = this.#read()
          .slice(-keep)
          .map((stored) => `${JSON.stringify(stored)}\n`)
        writeFileSync(`${path}.new`, lines.join(''), { mode: 0o600 })
        renameSync(`${path}.new`, path)
        this.#linesOnDisk = lines.length
      }
    } catch (cause) {
      logger.error('an event could not be kept on disk', { path, cause })
    }
  }

  /** What the file holds; a torn last line after a crash is left out. */
  #read(): StoredEvent[] {
    let text = ''
    try {
      text = readFileSync(this.#options.path, 'utf8')
    } catch {
      return []
    }
    return text.split('\n').flatMap((line) => {
      try {
        const { number, doc } = JSON.parse(line) as { number: unknown; doc: unknown }
        const parsed = eventSchema.safeParse(doc)
        return Number.isSafeInteger(number) && parsed.success ? [{ number: number as number, doc: parsed.data }] : []
      } catch {
        return []
      }
    })
  }
}
