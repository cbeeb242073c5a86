import type { Router } from '@orpc/server'
import type { DesktopContract } from '../../core/contract/desktop/index.ts'

/** What a shell carries between the screens and the services: the desktop contract, implemented. */
export type DesktopRouter = Router<DesktopContract, Record<never, never>>

/** A way to show the screens to a person. It serves them, carries the contract, and knows nothing else. */
export interface Shell {
  /** Shows a window, or says where one can be opened; again after it was closed. */
  open(): Promise<void>
  /** Ends every window and connection. */
  close(): Promise<void>
}

/** The largest message that a window may send, in bytes. Typed text is bounded to 64 KiB, stored positions to some thousand nodes. */
export const maxMessageBytes = 1024 * 1024

/**
 * Whether something that a window sent is a message of oRPC's peer protocol as the contract uses it: JSON text that begins or aborts
 * a call. What is not ends the connection, instead of being half understood and logged with what it held.
 */
export function isPeerMessage(data: unknown): data is string {
  if (typeof data !== 'string' || data.length > maxMessageBytes) return false
  try {
    const message = JSON.parse(data)
    if (typeof message?.i !== 'string') return false
    if (message.t === abortType) return true
    return message.t === undefined && typeof message.p?.u === 'string' && message.p.u.startsWith('/')
  } catch {
    return false
  }
}

/** ABORT_SIGNAL of @orpc/standard-server-peer; calls carry no type. */
const abortType = 4
