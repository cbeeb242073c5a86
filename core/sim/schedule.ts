import type { LeaderTimings } from '../cluster/leadership.ts'
import { planes } from '../model/common.ts'
import { SimCluster } from './cluster.ts'
import { seededRandom } from './env.ts'

export interface ScheduleResult {
  violations: string[]
  terms: number
  faults: number
  virtualSeconds: number
  longestVacancyMs: number
}

/** One random history: faults of every kind, one or several at a time, mended at random, and at the end a calm in which all must be well. */
export function runSchedule(seed: number, options: { timings?: LeaderTimings; log?: (line: string) => void } = {}): ScheduleResult {
  // Dice of its own, so that the schedule is the same whatever the cluster does with the world's.
  const random = seededRandom(seed ^ 0x5bd1e995)
  const between = (low: number, high: number) => low + random() * (high - low)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!
  const cluster = new SimCluster({ seed, hosts: pick([3, 3, 3, 5]), ...options })
  const names = [...cluster.hosts.keys()]
  const mends: { atMs: number; host: string; mend: () => void }[] = []
  const busy = (host: string) => mends.some((mend) => mend.host === host)
  let faults = 0

  /** Each breaks something of one host and answers how to mend it. */
  const breakages: ((host: string) => () => void)[] = [
    (host) => (cluster.powerOff(host), () => cluster.powerOn(host)),
    (host) => (cluster.pause(host), () => cluster.resume(host)),
    (host) => (cluster.host(host).freezeAgent(), () => cluster.host(host).thawAgent()),
    (host) => (cluster.host(host).killAgent(), () => cluster.host(host).startAgent()),
    // Starved: it stands still again and again, with moments between in which it acts on what it last heard.
    (host) => {
      let mended = false
      const cutOff = random() < 0.5
      if (cutOff) cluster.world.after(between(0, 400), () => mended || cluster.network.setLink(host, 'mgmt', false))
      const stutter = () => {
        if (mended) return
        cluster.host(host).freezeAgent()
        cluster.world.after(between(100, 1500), () => {
          cluster.host(host).thawAgent()
          cluster.world.after(between(1, 300), stutter)
        })
      }
      stutter()
      return () => {
        mended = true
        if (cutOff) cluster.network.setLink(host, 'mgmt', true)
        cluster.host(host).thawAgent()
      }
    },
    // Frozen while a renewal is under way, cut off meanwhile, and awake for a moment when its answer is old: it must not act on it.
    (host) => {
      const victim = cluster.host(host)
      victim.onRenewal = () => {
        victim.onRenewal = null
        victim.freezeAgent()
        cluster.world.after(between(10, 250), () => cluster.network.setLink(host, 'mgmt', false))
        cluster.world.after(between(260, 990), () => {
          victim.thawAgent()
          cluster.world.after(between(0.1, 20), () => victim.freezeAgent())
        })
      }
      return () => {
        victim.onRenewal = null
        // What is still to come of it is mended a second later.
        const mend = () => {
          victim.thawAgent()
          cluster.network.setLink(host, 'mgmt', true)
        }
        cluster.world.after(1500, mend)
      }
    },
    (host) => (cluster.store.freeze(host), () => cluster.store.thaw(host)),
    (host) => (cluster.store.kill(host), () => cluster.store.restart(host)),
    (host) => (cluster.network.setLink(host, 'mgmt', false), () => cluster.network.setLink(host, 'mgmt', true)),
    (host) => (cluster.network.setLink(host, pick(planes), false), () => cluster.network.setLink(host, 'all', true)),
    (host) => ((cluster.host(host).wallOffsetMs += between(-1e7, 1e7)), () => {}),
    (host) => (cluster.store.moveRaftLeader(host), () => {}),
    (host) => (cluster.host(cluster.leader).resign(random() < 0.5 ? host : null), () => {}),
    () => {
      const shuffled = [...names].sort(() => random() - 0.5)
      const cut = 1 + Math.floor(random() * (names.length - 1))
      cluster.network.partition('mgmt', [shuffled.slice(0, cut), shuffled.slice(cut)])
      return () => cluster.network.partition('mgmt', [])
    },
  ]

  const endMs = 60_000
  const weather = { lossShare: 0, duplicateShare: 0, lateShare: pick([0, 0, 0.02, 0.2]), lateMs: pick([20, 200, 600]) }
  cluster.network.weather = weather
  while (cluster.world.nowMs < endMs) {
    cluster.runFor(random() < 0.3 ? between(1, 400) : between(400, 4000))
    // Faults like to hit whoever leads.
    const host = random() < 0.5 ? cluster.leader : pick(names)
    if (!busy(host)) {
      cluster.note(`> break ${host}`)
      const mend = pick(breakages)(host)
      faults++
      // Short ones are the treacherous ones: a process that stands still for about as long as its lease.
      mends.push({ atMs: cluster.world.nowMs + (random() < 0.5 ? between(50, 2500) : between(2500, 12_000)), host, mend })
    }
    for (const due of mends.filter(({ atMs }) => atMs <= cluster.world.nowMs)) {
      mends.splice(mends.indexOf(due), 1)
      cluster.note(`> mend ${due.host}`)
      due.mend()
    }
  }
  for (const { mend } of mends) mend()
  cluster.network.partition('mgmt', [])
  cluster.runFor(10_000)
  if (![...cluster.hosts.values()].some((host) => host.holdsAddress))
    cluster.checker.violations.push('nobody holds the address 10 s after all is mended')
  const { violations, terms, longestVacancyMs } = cluster.checker
  return { violations, terms, faults, virtualSeconds: cluster.world.nowMs / 1000, longestVacancyMs }
}
