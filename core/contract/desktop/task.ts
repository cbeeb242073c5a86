import { z } from 'zod'
import { taskSchema } from '../../model/task.ts'
import { procedure } from '../base.ts'

export const taskContract = {
  list: procedure.output(z.array(taskSchema)),
  cancel: procedure.input(z.object({ id: z.string() })).output(taskSchema),
  /** Runs an interrupted or failed task again from its first step that is not done. */
  resume: procedure.input(z.object({ id: z.string() })).output(taskSchema),
}
