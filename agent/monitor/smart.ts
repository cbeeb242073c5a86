import { z } from 'zod'
import type { Disk } from '../../core/model/index.ts'

/** What a disk says of itself. */
export type SmartReport = Pick<Disk, 'health' | 'model' | 'serial' | 'rotational'>

const reportSchema = z.object({
  model_name: z.string().min(1).optional().catch(undefined),
  serial_number: z.string().min(1).optional().catch(undefined),
  /** 0: solid state. */
  rotation_rate: z.number().optional().catch(undefined),
  smart_status: z.object({ passed: z.boolean() }).optional().catch(undefined),
})

/** Reads `smartctl -j -H -i` (smartctl(8)). Health is `unknown` when the disk or the text does not tell; its exit status is not needed. */
export function parseSmart(text: string): SmartReport {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    return { health: 'unknown' }
  }
  const parsed = reportSchema.safeParse(document)
  if (!parsed.success) return { health: 'unknown' }
  const { model_name: model, serial_number: serial, rotation_rate: rpm, smart_status: status } = parsed.data
  return {
    health: status === undefined ? 'unknown' : status.passed ? 'ok' : 'failing',
    ...(model !== undefined && { model }),
    ...(serial !== undefined && { serial }),
    ...(rpm !== undefined && { rotational: rpm > 0 }),
  }
}
