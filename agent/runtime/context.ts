import { os } from '@orpc/server'
import { roles, type Role } from '../../core/contract/base.ts'
import { HoldfastError } from '../../core/errors.ts'

/** Who a caller is: a person's role, another host of the cluster, or nobody yet (a host that is about to join). */
export type CallerRole = Role | 'host' | 'none'

/** What every procedure of the agent knows of its caller. */
export interface CallerContext {
  /** Common name of the caller's certificate; empty when there is none. */
  identity: string
  role: CallerRole
}

const rank: Record<CallerRole, number> = { none: -1, host: 0, viewer: 0, operator: 1, admin: 2 }

/** Whether a caller may do what needs `role`. A host may what a viewer may. */
export function mayAct(caller: CallerRole, role: Role): boolean {
  return rank[caller] >= rank[role]
}

/** Middleware: lets only callers of at least this role on, others get `role-insufficient`. */
export function requireRole(role: Role) {
  return os.$context<CallerContext>().middleware(({ context, next }) => {
    if (mayAct(context.role, role)) return next()
    const who = context.identity || 'A caller without a certificate'
    throw new HoldfastError(
      'role-insufficient',
      `${who} has the role ${context.role}; this needs ${role}`,
      `Use a context whose certificate has the role ${role}.`,
      {
        role: context.role,
        needed: role,
      },
    )
  })
}

/** Reads the caller from the headers that the supervisor set. Only for sockets that nobody but root can open. */
export function contextFromHeaders(headers: Record<string, string | string[] | undefined>): CallerContext {
  const role = headers['x-holdfast-role']
  const identity = headers['x-holdfast-identity']
  const known = role === 'host' || roles.some((name) => name === role)
  return { identity: known && typeof identity === 'string' ? decodeURIComponent(identity) : '', role: known ? (role as CallerRole) : 'none' }
}

/** The headers by which the supervisor tells a module who calls. Percent-encoded, since a name may hold any character. */
export function headersFromContext(context: CallerContext): Record<string, string> {
  return { 'x-holdfast-identity': encodeURIComponent(context.identity), 'x-holdfast-role': context.role }
}
