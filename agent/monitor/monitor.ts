import type { Env } from '../../core/env.ts'
import { sampleSchema, type Disk, type Entity, type EntityKind, type Facts, type Neighbour, type Nic, type Sample } from '../../core/model/index.ts'
import type { ObjectLog } from '../../core/sync/object-log.ts'
import type { AgentConfig } from '../runtime/config.ts'
import type { EventLog } from '../runtime/events.ts'
import type { Logger } from '../runtime/logger.ts'
import { announcedOf, eventsBetween, mergeAnnounced } from './announce.ts'
import { CounterReader } from './counters.ts'
import { askSmart, diskDocument, findDisks, type FoundDisk } from './disks.ts'
import { FactsReader } from './facts.ts'
import { rememberNeighbours } from './lldp.ts'
import { renderMetrics } from './metrics.ts'
import { NeighbourWatch } from './neighbours.ts'
import { NicWatch } from './nics.ts'
import { oneAtATime } from './programs.ts'
import { SampleRing } from './ring.ts'
import { sampleBetween, type Counters } from './sampling.ts'
import type { SmartReport } from './smart.ts'
import { readBounded, readState, replaceFile, type Announced } from './state.ts'

export interface MonitorOptions {
  env: Env
  logger: Logger
  log: ObjectLog
  events: EventLog
  config: AgentConfig
  /** Outlives the module: what was told, which neighbours were known. */
  statePath: string
  /** Holds the samples from one version's `release` to the next one's `activate`. */
  samplesPath: string
}

const samplePeriodMs = 1000
/** How many samples are kept: an hour. */
const ringCapacity = 3600
/** Disks and facts are read again, and what is watched is listed again to be sure, this often. */
const refreshPeriodMs = 5 * 60_000
const smartPeriodMs = 60 * 60_000
/** A sample older than this says that the module hangs. */
const healthyForMs = 5000
const maxSamplesFileBytes = 16 * 1024 * 1024

/**
 * What a host is made of and how it does. It observes from the first moment, also in standby, so that a next version knows all before it
 * takes over; only an active one tells events and writes files.
 */
export class Monitor implements Disposable {
  readonly #options: MonitorOptions
  readonly #ring = new SampleRing(ringCapacity)
  readonly #counterReader: CounterReader
  readonly #factsReader: FactsReader
  readonly #readSmart: () => void
  readonly #ends: Disposable[]
  #counters: Counters | undefined
  #active = false
  #announced: Announced = {}
  #savedState = ''
  #facts: Facts | undefined
  #nics: Nic[] | undefined
  /** Undefined until LLDP was asked: then nothing is known to be lost. */
  #heard: Neighbour[] | undefined
  #neighbours: Neighbour[]
  #foundDisks: FoundDisk[] = []
  #smart = new Map<string, SmartReport>()
  #disks: Disk[] = []

  constructor(options: MonitorOptions) {
    this.#options = options
    const { env, logger, config } = options
    const host = config.host
    this.#counterReader = new CounterReader(env)
    this.#factsReader = new FactsReader(host)
    const state = readState(options.statePath)
    this.#neighbours = state?.neighbours ?? []

    const nics = new NicWatch({ env, logger, host, config, onNics: (found) => this.#sawNics(found) })
    const neighbours = new NeighbourWatch({ env, logger, host, onHeard: (heard) => this.#sawNeighbours(heard) })
    const failed = (cause: unknown): void => logger.error('the host could not be looked at', { cause })
    const readFacts = oneAtATime(async () => this.#sawFacts(await this.#factsReader.read()), failed)
    this.#readSmart = oneAtATime(async () => this.#sawSmart(await askSmart(this.#foundDisks)), failed)
    this.#readDisks()
    readFacts()
    this.#sample()
    this.#ends = [
      this.#counterReader,
      nics,
      neighbours,
      env.every(samplePeriodMs, () => this.#sample()),
      env.every(smartPeriodMs, this.#readSmart),
      env.every(refreshPeriodMs, () => {
        this.#readDisks()
        readFacts()
        nics.look()
        neighbours.look()
      }),
    ]
  }

  /** Why it cannot do its work; null when it can. */
  ails(): string | null {
    if (this.#nics === undefined) return 'the NICs have not been listed yet'
    if (this.#heard === undefined) return 'LLDP has not been asked yet'
    if (this.#counters === undefined) return 'the counters in /proc cannot be read'
    const ageMs = this.#options.env.monotonicMs() - this.#counters.monotonicMs
    return ageMs > healthyForMs ? `the last sample is ${Math.round(ageMs / 1000)} s old` : null
  }

  /** Starts to tell events, after what an earlier version told, and takes its samples over. */
  activate(): void {
    const state = readState(this.#options.statePath)
    this.#announced = state?.announced ?? {}
    const known = new Set(this.#neighbours.map((neighbour) => neighbour.nic))
    this.#neighbours.push(...(state?.neighbours ?? []).filter((neighbour) => !known.has(neighbour.nic)))
    this.#ring.prepend(parseSamples(readBounded(this.#options.samplesPath, maxSamplesFileBytes)))
    this.#active = true
    this.#reportNeighbours()
  }

  /** Stops telling and leaves the samples for the next version. */
  release(): void {
    this.#active = false
    const { samplesPath, logger } = this.#options
    try {
      replaceFile(samplesPath, this.#ring.toLines())
    } catch (cause) {
      logger.error('samples could not be left for the next version', { path: samplesPath, cause })
    }
  }

  /** See `SampleRing.read`. */
  samples(sinceMs?: number, signal?: AbortSignal): ReturnType<SampleRing['read']> {
    return this.#ring.read(sinceMs, signal)
  }

  /** Everything in Prometheus' text format. */
  metrics(): Promise<string> {
    return renderMetrics({ facts: this.#facts, nics: this.#nics ?? [], disks: this.#disks, neighbours: this.#neighbours, counters: this.#counters })
  }

  [Symbol.dispose](): void {
    for (const end of this.#ends) end[Symbol.dispose]()
  }

  #sample(): void {
    const names = new Map(this.#foundDisks.map((disk) => [disk.number, disk.name]))
    const counters = this.#counterReader.read(names) ?? undefined
    if (counters && this.#counters) this.#ring.push(sampleBetween(this.#counters, counters))
    this.#counters = counters
  }

  #sawFacts(facts: Facts): void {
    this.#facts = facts
    this.#options.log.put({ kind: 'facts', id: facts.host, doc: facts })
  }

  #sawNics(nics: Nic[]): void {
    this.#nics = nics
    this.#replace(
      'nic',
      nics.map((doc) => ({ kind: 'nic', id: `${doc.host}/${doc.name}`, doc })),
    )
    this.#reportNeighbours()
  }

  #sawNeighbours(heard: Neighbour[]): void {
    this.#heard = heard
    this.#reportNeighbours()
  }

  /** Waits for the NICs, since a neighbour of a NIC that is gone is forgotten, and for LLDP's first word. */
  #reportNeighbours(): void {
    if (this.#nics === undefined || this.#heard === undefined) return
    this.#neighbours = rememberNeighbours(this.#neighbours, this.#heard, this.#nics, Math.max(0, Math.trunc(this.#options.env.wallMs())))
    this.#replace(
      'neighbour',
      this.#neighbours.map((doc) => ({ kind: 'neighbour', id: `${doc.host}/${doc.nic}`, doc })),
    )
    this.#tell()
  }

  #readDisks(): void {
    this.#foundDisks = findDisks()
    this.#reportDisks()
    if (this.#foundDisks.some((disk) => !this.#smart.has(disk.name))) this.#readSmart()
  }

  #sawSmart(reports: Map<string, SmartReport>): void {
    this.#smart = reports
    this.#reportDisks()
  }

  #reportDisks(): void {
    this.#disks = this.#foundDisks.map((disk) => diskDocument(this.#options.config.host, disk, this.#smart.get(disk.name)))
    this.#replace(
      'disk',
      this.#disks.map((doc) => ({ kind: 'disk', id: `${doc.host}/${doc.name}`, doc })),
    )
    this.#tell()
  }

  /** Makes the documents of one kind exactly these. */
  #replace(kind: EntityKind, documents: Omit<Entity, 'atMs'>[]): void {
    const { log } = this.#options
    const ids = new Set(documents.map((document) => document.id))
    for (const { id } of log.list(kind)) if (!ids.has(id)) log.del(kind, id)
    for (const document of documents) log.put(document as Parameters<ObjectLog['put']>[0])
  }

  /** Events for what changed since they were told last, and the state that says so. */
  #tell(): void {
    if (!this.#active || this.#nics === undefined || this.#heard === undefined) return
    const { events, logger, statePath } = this.#options
    const now = announcedOf(this.#nics, this.#neighbours, this.#disks)
    for (const { type, severity, message, about, data } of eventsBetween(this.#announced, now)) events.emit(type, severity, message, about, data)
    const exists = (key: string): boolean => {
      const [kind, , ...name] = key.split('/')
      return (kind === 'disk' ? this.#disks : this.#nics!).some((found) => found.name === name.join('/'))
    }
    const text = JSON.stringify({ announced: mergeAnnounced(this.#announced, now, exists), neighbours: this.#neighbours })
    this.#announced = mergeAnnounced(this.#announced, now, exists)
    if (text === this.#savedState) return
    try {
      replaceFile(statePath, text)
      this.#savedState = text
    } catch (cause) {
      logger.error('the state could not be kept on disk', { path: statePath, cause })
    }
  }
}

function parseSamples(lines: string): Sample[] {
  return lines.split('\n').flatMap((line) => {
    try {
      return [sampleSchema.parse(JSON.parse(line))]
    } catch {
      return []
    }
  })
}
