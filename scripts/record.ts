/**
 * Takes the recording that the app ships with out of this laptop's inventory: `node scripts/record.ts CONTEXT`. Bring its cluster into a
 * state worth looking at first, and let samples gather for some minutes with the app open.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createServices } from '../src-main/main.ts'
import { recordingFile, takeRecording } from '../src-main/recording/recording.ts'
import { fail } from './fail.ts'

async function main(): Promise<void> {
  const [context = 'lab'] = process.argv.slice(2)
  await using services = await createServices({ context })
  const recording = await takeRecording(services.inventory, context, 'recording')
  mkdirSync(path.dirname(recordingFile), { recursive: true })
  writeFileSync(recordingFile, `${JSON.stringify(recording)}\n`)
  const objects = recording.sources.reduce((sum, { items }) => sum + items.length, 0)
  console.log(`${objects} objects of ${recording.sources.length} sources, as of ${new Date(recording.takenAtMs).toISOString()}`)
}

await main().catch(fail)
