import type { Sample } from '../../../core/model/sample.ts'
import { app } from './app.svelte.ts'
import { append } from './append.ts'

/** How far back a reader looks: a minute for the bars of lists, a quarter of an hour for charts. */
export const reachMs = { recent: 60_000, long: 900_000 } as const
export type Reach = keyof typeof reachMs

/** A sample older than this says nothing of now, in ms. */
const currentForMs = 5000

/** One host's samples, oldest first, bounded by their reach. */
class HostSamples {
  list = $state.raw<Sample[]>([])
  readers = 0
  stop: () => void = () => {}

  /** The newest, if it is of now. */
  latest = $derived.by(() => {
    const last = this.list.at(-1)
    return last && app.nowMs - last.atMs <= currentForMs ? last : null
  })
}

/** Samples by host and reach: one stream each, however many parts of the screen read it. */
class SampleStreams {
  #streams = new Map<string, HostSamples>()

  of(host: string, reach: Reach): HostSamples {
    const key = `${reach} ${host}`
    let found = this.#streams.get(key)
    if (!found) this.#streams.set(key, (found = new HostSamples()))
    return found
  }

  /** Keeps the stream open until the function returned is called: the body of an effect. */
  watch(host: string, reach: Reach): () => void {
    const samples = this.of(host, reach)
    if (samples.readers++ === 0) {
      samples.stop = app.whileOpen(async (client, signal) => {
        const sinceMs = Math.max(Date.now() - reachMs[reach], samples.list.at(-1)?.atMs ?? 0)
        for await (const batch of await client.inventory.samples({ host, sinceMs }, { signal }))
          samples.list = append(samples.list, batch, reachMs[reach])
      })
    }
    return () => {
      if (--samples.readers === 0) samples.stop()
    }
  }
}

export const samples = new SampleStreams()
