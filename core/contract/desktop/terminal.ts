import { eventIterator } from '@orpc/contract'
import { z } from 'zod'
import { nameSchema } from '../../model/common.ts'
import { procedure } from '../base.ts'

/** Terminals over SSH: one connection a host, a channel a terminal. */
export const terminalContract = {
  open: procedure
    .input(z.object({ host: nameSchema, cols: z.number().int().min(2).max(1000), rows: z.number().int().min(1).max(1000) }))
    .output(z.object({ id: z.string() })),
  /** Output from the moment of opening (a bounded backlog, then live); `exit` ends it. */
  output: procedure
    .input(z.object({ id: z.string() }))
    .output(
      eventIterator(
        z.discriminatedUnion('type', [
          z.object({ type: z.literal('data'), text: z.string() }),
          z.object({ type: z.literal('exit'), code: z.number().nullable() }),
        ]),
      ),
    ),
  input: procedure.input(z.object({ id: z.string(), text: z.string().max(65_536) })).output(z.object({})),
  resize: procedure
    .input(z.object({ id: z.string(), cols: z.number().int().min(2).max(1000), rows: z.number().int().min(1).max(1000) }))
    .output(z.object({})),
  close: procedure.input(z.object({ id: z.string() })).output(z.object({})),
}
