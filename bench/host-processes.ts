import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { ticksPerSecond } from '../agent/monitor/proc.ts'

/** What one process uses. */
export interface Usage {
  /** Its share of physical memory: what it shares with n processes counts an nth (PSS). */
  pssBytes: number
  /** CPU time since it started. */
  cpuSeconds: number
}

/** Parts of an agent that are measured apart. */
export const parts = ['supervisor', 'cluster', 'monitor', 'etcd'] as const
export type Part = (typeof parts)[number]

/** Memory and CPU time of each part of the agent in the PID namespace of process `init`; a part's helper programs count with it. */
export function agentUsage(init: number): Map<Part, Usage> {
  const namespace = readlinkSync(`/proc/${init}/ns/pid`)
  const used = new Map<Part, Usage>()
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      if (readlinkSync(`/proc/${pid}/ns/pid`) !== namespace) continue
      const part = partOf(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0'))
      if (part === null) continue
      const { pssBytes, cpuSeconds } = usageOf(pid)
      const sum = used.get(part) ?? { pssBytes: 0, cpuSeconds: 0 }
      used.set(part, { pssBytes: sum.pssBytes + pssBytes, cpuSeconds: sum.cpuSeconds + cpuSeconds })
    } catch {
      // It ended while we looked.
    }
  }
  return used
}

function partOf(argv: string[]): Part | null {
  const [program = ''] = argv
  if (/(^|\/)etcd$/.test(program)) return 'etcd'
  const script = argv
    .find((argument) => argument.endsWith('.mjs'))
    ?.split('/')
    .at(-1)
  if (/(^|\/)(ip|lldpcli)$/.test(program)) return 'monitor'
  return parts.find((part) => script === `${part}.mjs`) ?? null
}

function usageOf(pid: string): Usage {
  const pss = /^Pss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // utime, stime, and those of children that have ended: fields 14 to 17 of proc_pid_stat(5).
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return { pssBytes: Number(pss?.[1] ?? 0) * 1024, cpuSeconds: ticks / ticksPerSecond }
}
