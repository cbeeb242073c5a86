/** Parsers of the kernel's counters, see proc_stat(5), proc_meminfo(5), proc_pid_net(5) and Documentation/admin-guide/iostats.rst. */

/** Clock ticks a second in which the kernel counts for programs (`USER_HZ`, time(7)): 100 on every architecture that Debian has. */
export const ticksPerSecond = 100

/** CPU time of all cores since boot, in clock ticks. */
export interface CpuTicks {
  total: number
  idle: number
}

/** Reads the first line of `/proc/stat`; null if it is not there. Waiting for I/O counts as idle. Guest time is part of user time already. */
export function parseCpuTicks(stat: string): CpuTicks | null {
  const fields = /^cpu +(\d+(?: \d+)*)/.exec(stat)?.[1]?.split(' ').map(Number)
  if (!fields || fields.length < 4) return null
  const upToSteal = fields.slice(0, 8)
  return { total: upToSteal.reduce((sum, ticks) => sum + ticks, 0), idle: fields[3]! + (fields[4] ?? 0) }
}

/** When the machine booted, seconds since the Unix epoch (`btime` of `/proc/stat`); null if it does not say. */
export function parseBootTimeS(stat: string): number | null {
  const found = /^btime (\d+)$/m.exec(stat)
  return found ? Number(found[1]) : null
}

export interface Memory {
  totalBytes: number
  availableBytes: number
}

/** Reads `/proc/meminfo`; null if it does not say. */
export function parseMemory(meminfo: string): Memory | null {
  const bytes = (name: string): number | null => {
    const found = new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(meminfo)
    return found ? Number(found[1]) * 1024 : null
  }
  const totalBytes = bytes('MemTotal')
  const availableBytes = bytes('MemAvailable')
  return totalBytes === null || availableBytes === null ? null : { totalBytes, availableBytes }
}

/** The load average over one minute (`/proc/loadavg`); null if it does not say. */
export function parseLoad1(loadavg: string): number | null {
  const found = /^(\d+\.\d+) /.exec(loadavg)
  return found ? Number(found[1]) : null
}

export interface NicCounters {
  rxBytes: number
  txBytes: number
  /** Dropped in either direction. */
  drops: number
}

/** Reads `/proc/net/dev` by interface name, without the loopback. */
export function parseNicCounters(dev: string): Map<string, NicCounters> {
  const found = new Map<string, NicCounters>()
  for (const line of dev.split('\n')) {
    const match = /^ *([^\s:]+): *(\d.*)$/.exec(line)
    if (!match || match[1] === 'lo') continue
    const fields = match[2]!.trim().split(/ +/).map(Number)
    if (fields.length < 16 || !fields.every(Number.isFinite)) continue
    found.set(match[1]!, { rxBytes: fields[0]!, txBytes: fields[8]!, drops: fields[3]! + fields[11]! })
  }
  return found
}

export interface DiskCounters {
  readBytes: number
  writtenBytes: number
  /** Time in which at least one request was in flight. */
  busyMs: number
}

/** `/proc/diskstats` counts in sectors of this size whatever the disk's own. */
const sectorBytes = 512

/** Reads `/proc/diskstats` by device number, `major:minor`. */
export function parseDiskCounters(diskstats: string): Map<string, DiskCounters> {
  const found = new Map<string, DiskCounters>()
  for (const line of diskstats.split('\n')) {
    const fields = line.trim().split(/\s+/)
    if (fields.length < 14) continue
    const [readBytes, writtenBytes, busyMs] = [Number(fields[5]) * sectorBytes, Number(fields[9]) * sectorBytes, Number(fields[12])]
    if (![readBytes, writtenBytes, busyMs].every(Number.isFinite)) continue
    found.set(`${fields[0]}:${fields[1]}`, { readBytes, writtenBytes, busyMs })
  }
  return found
}

/** When a process started, in clock ticks after boot (field 22 of `/proc/PID/stat`); null if it does not say. */
export function parseStartTicks(pidStat: string): number | null {
  // The program's name stands in parentheses and may hold anything.
  const ticks = Number(pidStat.slice(pidStat.lastIndexOf(')') + 2).split(' ')[19])
  return Number.isInteger(ticks) ? ticks : null
}
