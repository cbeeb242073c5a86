import { eventIterator } from '@orpc/contract'
import { z } from 'zod'
import { captureEventSchema, captureRequestSchema } from '../../model/capture.ts'
import { procedure } from '../base.ts'

/** Capture of packets at many places at once. What comes is kept by whoever asked: core/net/capture puts it together and writes the file. */
export const captureContract = {
  /** Checks a filter in the syntax of pcap-filter(7), on a host that answers. `bad-input` with what is wrong with it. */
  check: procedure.input(z.object({ filter: captureRequestSchema.shape.filter })).output(z.object({})),
  /**
   * Captures until its time is over, it is full, or it is stopped. Nothing is captured anywhere if the filter is none (`bad-input`), a place
   * is not known (`not-found`), or no host of them answers. Whoever goes away ends it.
   */
  start: procedure.input(captureRequestSchema).output(eventIterator(captureEventSchema)),
  /** Ends a capture before its time; its last events still come. One that there is not has ended already. */
  stop: procedure.input(z.object({ id: captureRequestSchema.shape.id })).output(z.object({})),
}
