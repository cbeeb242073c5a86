import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import { neighbourSchema } from '../../core/model/index.ts'

/** What the module has told of, by `kind/id`: the state of a NIC, the other end of its cable, the health of a disk. */
export type Announced = Record<string, string>

/** What outlives the module: for events to be told once, and cut cables to be remembered. */
export const monitorStateSchema = z.object({ announced: z.record(z.string(), z.string()), neighbours: z.array(neighbourSchema) })
export type MonitorState = z.infer<typeof monitorStateSchema>

/** Reads the state; null when there is none or it cannot be read (then the module begins anew). */
export function readState(path: string): MonitorState | null {
  try {
    return monitorStateSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return null
  }
}

/** Replaces a file as a whole (0600). Throws what the file system throws. */
export function replaceFile(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(`${path}.new`, text, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

/** Reads a text file of at most `maxBytes`; empty when it is not there or longer. */
export function readBounded(path: string, maxBytes: number): string {
  try {
    return statSync(path).size > maxBytes ? '' : readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
