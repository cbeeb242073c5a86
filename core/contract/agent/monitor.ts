import { eventIterator } from '@orpc/contract'
import { z } from 'zod'
import { sampleSchema } from '../../model/sample.ts'
import { procedure } from '../base.ts'
import { syncContract } from './sync.ts'

/** `/v1/monitor`: what the host is made of and how it does. Prometheus reads `/v1/monitor/metrics`. */
export const monitorContract = {
  sync: syncContract,
  /** Samples later than `sinceMs` still in the ring, oldest first, then live ones as they come. `gap` is true on the first batch when the ring no longer reaches back to `sinceMs`. */
  samples: procedure
    .input(z.object({ sinceMs: z.number().nonnegative().optional() }))
    .output(eventIterator(z.object({ gap: z.boolean(), samples: z.array(sampleSchema) }))),
}
