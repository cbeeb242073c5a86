import { oc } from '@orpc/contract'
import { z } from 'zod'
import { errorCodes, type ErrorCode } from '../errors.ts'

/** What every typed error carries beside `code` and `message`. */
export const errorDataSchema = z.looseObject({ hint: z.string() })

type ErrorMap = { [C in ErrorCode]: { status: number; data: typeof errorDataSchema } }

const errorMap = Object.fromEntries(Object.entries(errorCodes).map(([code, status]) => [code, { status, data: errorDataSchema }])) as ErrorMap

/** Start of every procedure: all of Holdfast's errors are typed values on both ends. */
export const procedure = oc.errors(errorMap)

/** Roles, weakest first; each includes those before it. */
export const roles = ['viewer', 'operator', 'admin'] as const
export const roleSchema = z.enum(roles)
export type Role = z.infer<typeof roleSchema>
