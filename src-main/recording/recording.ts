import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { HoldfastError } from '../../core/errors.ts'
import { entitySchema } from '../../core/model/entity.ts'
import { type Sample, sampleSchema } from '../../core/model/sample.ts'
import type { Contexts } from '../contexts/contexts.ts'
import type { Inventory } from '../inventory/inventory.ts'

/** The cluster that the app ships with, for machines where no lab can be. Made by scripts/record.ts. */
export const recordingFile = path.resolve(import.meta.dirname, '../../resources/recording/cluster.json')
const contextName = 'recording'
const samplesKeptMs = 5 * 60_000
const eventsKept = 500

/** What a cluster's agents had reported at one moment, each by its source, and the last minutes of its samples. */
export const recordingSchema = z.object({
  takenAtMs: z.number(),
  clusterName: z.string(),
  sources: z.array(z.object({ host: z.string(), module: z.string(), seenAtMs: z.number(), items: z.array(entitySchema) })),
  samples: z.record(z.string(), z.array(sampleSchema)),
})
export type Recording = z.infer<typeof recordingSchema>

/** Takes a recording out of the inventory. */
export async function takeRecording(inventory: Inventory, context: string, clusterName: string): Promise<Recording> {
  const sources = (await inventory.sources(context)).filter((source) => source.seenAtMs !== null)
  const takenAtMs = Math.max(0, ...sources.map((source) => source.seenAtMs!))
  const reports = [...(await inventory.reports(context)), ...(await inventory.events(context, eventsKept))]
  const hosts = [...new Set(sources.map(({ host }) => host))]
  return {
    takenAtMs,
    clusterName,
    sources: sources.map(({ host, module, seenAtMs }) => ({
      host,
      module,
      seenAtMs: seenAtMs!,
      items: reports
        .filter((report) => report.reporter === host && report.module === module)
        .map(({ kind, id, atMs, doc }) => ({ kind, id, atMs, doc })),
    })),
    samples: Object.fromEntries(
      await Promise.all(
        hosts.map(async (host) => {
          const samples = await inventory.samplesSince(context, host, takenAtMs - samplesKeptMs, samplesKeptMs / 1000)
          return [host, samples.map(rounded)] as const
        }),
      ),
    ),
  }
}

/** A sample with four digits of each figure, as many as a chart can show. */
function rounded(sample: Sample): Sample {
  const text = JSON.stringify(sample, (key, value) => (typeof value === 'number' && key !== 'atMs' ? Number(value.toPrecision(4)) : value))
  return JSON.parse(text) as Sample
}

/** Puts a recording into the inventory as a context without a key, behind which there is no cluster. Again with the same changes nothing. */
export async function keepRecording(recording: Recording, inventory: Inventory, contexts: Contexts): Promise<void> {
  const current = contexts.currentName() ?? contextName
  await contexts.save({ name: contextName, clusterId: '', clusterName: recording.clusterName, endpoints: [], caPem: '', certificatePem: '' }, null)
  contexts.use(current)
  for (const { host, module, seenAtMs, items } of recording.sources) {
    const frame = { type: 'snapshot' as const, epoch: `recording-${recording.takenAtMs}`, rev: 1, nowMs: seenAtMs, items }
    await inventory.apply({ context: contextName, host, module, frame, receivedAtMs: seenAtMs })
  }
  for (const [host, samples] of Object.entries(recording.samples)) await inventory.putSamples(contextName, host, samples)
}

/** The recording that the app ships with. Throws `not-found` when the file is missing or damaged. */
export async function shippedRecording(): Promise<Recording> {
  try {
    return recordingSchema.parse(JSON.parse(await readFile(recordingFile, 'utf8')))
  } catch (cause) {
    throw new HoldfastError('not-found', `${recordingFile} cannot be read`, 'It belongs to the checkout: restore it with git.', {}, { cause })
  }
}
