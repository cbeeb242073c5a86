import { existsSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { HoldfastError } from '../../core/errors.ts'
import { positionOf, type SourceName } from './apply.ts'
import { openReadable, schemaVersion, type ReadableDb } from './database.ts'
import { inventoryMigrations } from './migrations/index.ts'
import { events, reports, sources, type Kinds } from './read.ts'
import { serve } from './rpc.ts'
import { lastSampleMs, samplesSince } from './samples.ts'
import { search } from './search.ts'

const path = workerData as string
let opened: ReadableDb | undefined

function db(): ReadableDb {
  if (!opened) throw new HoldfastError('internal', `${path} is closed`, 'Start the program again.')
  return opened
}

function close(): void {
  opened?.close()
  opened = undefined
}

/** All that reads the inventory, in a thread of its own: a large write does not hold up a search. */
const api = {
  /** False when a writer has to make or migrate the file first. */
  open: (): boolean => {
    close()
    if (!existsSync(path)) return false
    opened = openReadable(path)
    if (schemaVersion(opened) === inventoryMigrations.length) return true
    close()
    return false
  },
  close,
  reports: (context: string, kinds: Kinds) => reports(db(), context, kinds),
  events: (context: string, limit: number) => events(db(), context, limit),
  sources: (context: string) => sources(db(), context),
  position: (source: SourceName) => positionOf(db(), source),
  samplesSince: (context: string, host: string, sinceMs: number, limit: number) => samplesSince(db(), context, host, sinceMs, limit),
  lastSampleMs: (context: string, host: string) => lastSampleMs(db(), context, host),
  search: (context: string, query: string, limit: number) => search(db(), context, query, limit),
}
export type ReaderApi = typeof api

serve(parentPort!, api)
