import { z } from 'zod'
import { wallMsSchema } from './common.ts'

const rate = z.number().nonnegative()

/** One second of one host. Rates are means over that second. */
export const sampleSchema = z.looseObject({
  atMs: wallMsSchema,
  /** 0 to 1 of all cores. */
  cpu: z.number().min(0).max(1),
  memoryUsedBytes: z.number().nonnegative(),
  load1: z.number().nonnegative(),
  nics: z.record(z.string(), z.looseObject({ rxBytesPerS: rate, txBytesPerS: rate, dropsPerS: rate })),
  disks: z.record(z.string(), z.looseObject({ readBytesPerS: rate, writeBytesPerS: rate, busy: z.number().min(0).max(1) })),
})
export type Sample = z.infer<typeof sampleSchema>
