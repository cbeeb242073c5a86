import type { PathChange } from '../../core/cluster/watcher.ts'
import { clockSkewMs, describePathChanges, findSkewedClocks, joinNames } from '../../core/cluster/words.ts'
import type { Env } from '../../core/env.ts'
import type { EventLog } from '../runtime/events.ts'
import type { Heartbeats } from './heartbeats.ts'

/** Path changes within this time are told as one. */
const gatherMs = 150

export interface AnnouncerOptions {
  env: Env
  events: EventLog
  host: string
  heartbeats: Heartbeats
  /** Voters that do not answer. */
  missing(): string[]
}

/** Tells as events what this host sees of paths, clocks and the store's majority, once each time that it changes. */
export class Announcer {
  readonly #options: AnnouncerOptions
  #gathered: PathChange[] = []
  #gathering: Disposable | null = null
  #quorum: boolean | null = null
  #skewed = new Map<string, number>()

  constructor(options: AnnouncerOptions) {
    this.#options = options
  }

  pathsChanged(changes: readonly PathChange[]): void {
    const { env, events, host, heartbeats } = this.#options
    this.#gathered.push(...changes)
    this.#gathering ??= env.after(gatherMs, () => {
      this.#gathering = null
      const gathered = this.#gathered.splice(0)
      for (const { type, severity, message, about, data } of describePathChanges(gathered, { self: host, paths: heartbeats.watcher.list() }))
        events.emit(type, severity, message, about, data)
    })
  }

  /** What it is at the first call is no news. */
  quorumIs(quorum: boolean): void {
    const { events, host, missing } = this.#options
    const before = this.#quorum
    this.#quorum = quorum
    if (before === quorum || before === null) return
    if (quorum) {
      events.emit('quorum-regained', 'info', `${host} reaches a majority of the store again`, ['cluster/cluster'])
      return
    }
    const names = missing()
    const who = names.length > 0 ? `: ${joinNames(names)} ${names.length > 1 ? 'are' : 'is'} missing` : ''
    const about = ['cluster/cluster', ...names.map((name) => `host/${name}`)]
    events.emit('quorum-lost', 'error', `${host} does not reach a majority of the store${who}`, about, { missing: names })
  }

  /** Compares the wall clocks of these peers with ours. */
  clocksOf(peers: Iterable<string>): void {
    const { events, host, heartbeats } = this.#options
    const offsets = new Map<string, number>()
    for (const peer of peers) {
      const offsetMs = heartbeats.clockOffsetMs(peer)
      if (peer !== host && offsetMs !== null) offsets.set(peer, offsetMs)
    }
    const skewed = new Map(findSkewedClocks(host, offsets).map((found) => [found.host, found.offsetMs]))
    for (const [name, offsetMs] of skewed) {
      if (this.#skewed.has(name)) continue
      const whose = `${offsetMs > 0 ? 'ahead of' : 'behind'} ${name === host ? 'the others' : `that of ${host}`}`
      events.emit(
        'clock-skew',
        'warning',
        `The clock of ${name} is ${Math.round(Math.abs(offsetMs) / 1000)} s ${whose}; set it right`,
        [`host/${name}`],
        {
          host: name,
          offsetMs: Math.round(offsetMs),
          limitMs: clockSkewMs,
        },
      )
    }
    for (const name of this.#skewed.keys())
      if (!skewed.has(name)) events.emit('clock-right', 'info', `The clock of ${name} is right again`, [`host/${name}`])
    this.#skewed = skewed
  }
}
