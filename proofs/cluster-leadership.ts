import { leaderTimings } from '../core/cluster/leadership.ts'
import { runSchedule } from '../core/sim/schedule.ts'
import type { Proof } from './proof.ts'

/** Leaderships that are wrong in one figure each; the checker must catch every one, or it could not catch ours. */
const broken = [
  { what: 'takes over before the address can be gone', timings: { ...leaderTimings, addressLifeMs: 900 } },
  { what: 'holds the address on answers that are too late', timings: { ...leaderTimings, answerLimitMs: 60_000 } },
  { what: 'believes itself leader for too long', timings: { ...leaderTimings, leaseMs: 2500 } },
]

/** Random failures of a simulated cluster: never two holders of the address, never two leaders, epochs rise, a well majority has a leader soon. */
export default {
  name: 'cluster-leadership',
  title: 'One holder of the cluster address at every instant, through random failures of hosts, agents, stores and links',
  kind: 'simulation',
  async run({ seed, scale, log }) {
    const rounds = scale === 'small' ? 60 : 6000
    const counts = { schedules: 0, faults: 0, leaderships: 0, virtualHours: 0, longestVacancyMs: 0 }
    let virtualSeconds = 0
    for (let round = 0; round < rounds; round++) {
      const result = runSchedule(seed + round)
      counts.schedules++
      counts.faults += result.faults
      counts.leaderships += result.terms
      counts.longestVacancyMs = Math.max(counts.longestVacancyMs, Math.round(result.longestVacancyMs))
      virtualSeconds += result.virtualSeconds
      if (result.violations.length > 0) throw new Error(`Schedule with seed ${seed + round}: ${result.violations.slice(0, 5).join('; ')}`)
      if (round % 500 === 499) log(`${round + 1} of ${rounds} schedules, ${counts.leaderships} leaderships`)
      // Lets the terminal and a Ctrl-C through.
      if (round % 50 === 49) await new Promise((resolve) => setImmediate(resolve))
    }
    for (const { what, timings } of broken) {
      let tried = 0
      while (runSchedule(seed + tried, { timings }).violations.length === 0) {
        if (++tried > 300) throw new Error(`The checker did not catch a leadership that ${what}`)
      }
      log(`caught after ${tried + 1} schedules: a leadership that ${what}`)
    }
    counts.virtualHours = Math.round((virtualSeconds / 3600) * 10) / 10
    return counts
  },
} satisfies Proof
