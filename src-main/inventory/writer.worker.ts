import { parentPort, workerData } from 'node:worker_threads'
import type { Sample } from '../../core/model/sample.ts'
import { applyFrames, forgetContext, forgetHost, pruneEvents, putOwn, saveSeen, type ReceivedFrame, type SourceName } from './apply.ts'
import { inventoryMigrations } from './migrations/index.ts'
import { OpenedDatabase } from './opened.ts'
import { serve } from './rpc.ts'
import { pruneSamples, putSamples } from './samples.ts'
import type { StoredObject } from './words.ts'

const opened = new OpenedDatabase(workerData as string, inventoryMigrations, false)

/** All that changes the inventory, one call after the other. */
const api = {
  open: () => opened.open(),
  isSound: () => opened.isSound(),
  recover: () => opened.recover(),
  close: () => opened.close(),
  applyFrames: (frames: ReceivedFrame[]) => applyFrames(opened.db, frames),
  saveSeen: (seen: (SourceName & { seenAtMs: number })[]) => saveSeen(opened.db, seen),
  putOwn: (context: string, object: StoredObject) => putOwn(opened.db, context, object),
  putSamples: (context: string, host: string, samples: Sample[]) => putSamples(opened.db, context, host, samples),
  forgetHost: (context: string, host: string) => forgetHost(opened.db, context, host),
  forgetContext: (context: string) => forgetContext(opened.db, context),
  prune: () => {
    pruneEvents(opened.db)
    pruneSamples(opened.db)
  },
}
export type WriterApi = typeof api

serve(parentPort!, api)
