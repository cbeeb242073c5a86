import type { Sample } from '../../core/model/sample.ts'
import type { CpuTicks, DiskCounters, Memory, NicCounters } from './proc.ts'

/** All counters of the host at one instant. */
export interface Counters {
  /** Monotonic clock; rates are counted by it. */
  monotonicMs: number
  wallMs: number
  cpu: CpuTicks
  memory: Memory
  load1: number
  nics: ReadonlyMap<string, NicCounters>
  /** By the name under which the disk is reported. */
  disks: ReadonlyMap<string, DiskCounters>
}

/** The mean between two readings. A NIC or disk that is in one of them only is left out; a counter that began anew counts as nothing done. */
export function sampleBetween(before: Counters, after: Counters): Sample {
  const seconds = Math.max(1e-3, (after.monotonicMs - before.monotonicMs) / 1000)
  const rate = (from: number, to: number): number => Math.max(0, to - from) / seconds
  const totalTicks = after.cpu.total - before.cpu.total
  const idleTicks = after.cpu.idle - before.cpu.idle
  return {
    atMs: Math.max(0, Math.trunc(after.wallMs)),
    cpu: totalTicks > 0 ? clamp01(1 - idleTicks / totalTicks) : 0,
    memoryUsedBytes: Math.max(0, after.memory.totalBytes - after.memory.availableBytes),
    load1: after.load1,
    nics: pairs(before.nics, after.nics, (from, to) => ({
      rxBytesPerS: rate(from.rxBytes, to.rxBytes),
      txBytesPerS: rate(from.txBytes, to.txBytes),
      dropsPerS: rate(from.drops, to.drops),
    })),
    disks: pairs(before.disks, after.disks, (from, to) => ({
      readBytesPerS: rate(from.readBytes, to.readBytes),
      writeBytesPerS: rate(from.writtenBytes, to.writtenBytes),
      busy: clamp01(rate(from.busyMs, to.busyMs) / 1000),
    })),
  }
}

function clamp01(value: number): number {
  return Math.min(1, Math.max(0, value))
}

function pairs<C, R>(before: ReadonlyMap<string, C>, after: ReadonlyMap<string, C>, combine: (from: C, to: C) => R): Record<string, R> {
  return Object.fromEntries(
    [...after].flatMap(([name, to]) => {
      const from = before.get(name)
      return from === undefined ? [] : [[name, combine(from, to)] as const]
    }),
  )
}
