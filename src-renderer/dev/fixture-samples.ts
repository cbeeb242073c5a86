/** TEST DOUBLE of a host's measurements. */
import type { Sample } from '../../core/model/index.ts'
import { planes } from '../../core/model/common.ts'

/** A repeatable number in [0, 1) for a place and a time: noise that looks the same in every run. */
export function noise(seed: string, step: number): number {
  let h = 2166136261 ^ Math.floor(step)
  for (let i = 0; i < seed.length; i++) h = Math.imul(h ^ seed.charCodeAt(i), 16777619)
  h ^= h >>> 13
  h = Math.imul(h, 1540483477)
  return ((h ^ (h >>> 15)) >>> 0) / 4294967296
}

const smooth = (seed: string, atS: number, periodS: number): number => {
  const from = Math.floor(atS / periodS)
  const t = atS / periodS - from
  return noise(seed, from) * (1 - t) + noise(seed, from + 1) * t
}

/** What a host measured in that second; the same in every run. */
export function fixtureSample(host: string, atMs: number): Sample {
  const s = atMs / 1000
  const busy = (Number(host.slice(1)) || 1) % 7
  const cpu = Math.min(1, 0.06 + busy * 0.05 + smooth(`${host}cpu`, s, 9) * 0.25 + noise(`${host}c`, s) * 0.04)
  return {
    atMs,
    cpu,
    memoryUsedBytes: (9.5 + busy * 4 + smooth(`${host}mem`, s, 60) * 2) * 2 ** 30,
    load1: cpu * 8,
    nics: Object.fromEntries(
      planes.map((plane) => {
        const scale = plane === 'storage' ? 90e6 : plane === 'tenant' ? 24e6 : 0.4e6
        return [
          plane,
          { rxBytesPerS: scale * smooth(`${host}${plane}r`, s, 7), txBytesPerS: scale * 0.8 * smooth(`${host}${plane}t`, s, 5), dropsPerS: 0 },
        ]
      }),
    ),
    disks: Object.fromEntries(
      ['sda', 'nvme0n1', 'nvme1n1'].map((disk, i) => [
        disk,
        {
          readBytesPerS: 40e6 * i * smooth(`${host}${disk}r`, s, 6),
          writeBytesPerS: (4 + 30 * i) * 1e6 * smooth(`${host}${disk}w`, s, 4),
          busy: smooth(`${host}${disk}b`, s, 8) * 0.3 * (i + 1),
        },
      ]),
    ),
  }
}
