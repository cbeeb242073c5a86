import type { MessagePort, Worker } from 'node:worker_threads'
import { HoldfastError, type ErrorCode } from '../../core/errors.ts'
import { isCorrupt } from './database.ts'

/** What a worker offers: plain functions of plain data. */
type Handlers = Record<string, (...args: never[]) => unknown>

/** The same functions seen from the other thread. */
export type Remote<H extends Handlers> = { [K in keyof H]: (...args: Parameters<H[K]>) => Promise<Awaited<ReturnType<H[K]>>> }

interface Request {
  id: number
  method: string
  args: unknown[]
}
type Reply = { id: number; value: unknown } | { id: number; error: { code: ErrorCode; message: string; hint: string; data: Record<string, unknown> } }

/** Answers requests on a worker's port, one after the other. */
export function serve(port: MessagePort, handlers: Handlers): void {
  port.on('message', (request: Request) => {
    let reply: Reply
    try {
      reply = { id: request.id, value: (handlers[request.method] as (...args: unknown[]) => unknown)(...request.args) }
    } catch (thrown) {
      reply = { id: request.id, error: describe(thrown) }
    }
    port.postMessage(reply)
  })
}

/** SQLite's own failures become errors with a remedy here, where their codes are still known. */
function describe(thrown: unknown): { code: ErrorCode; message: string; hint: string; data: Record<string, unknown> } {
  if (thrown instanceof HoldfastError) return { code: thrown.code, message: thrown.message, hint: thrown.hint, data: thrown.data }
  const { code, message } = thrown as { code?: unknown; message?: unknown }
  const text = String(message ?? thrown)
  if (isCorrupt(thrown))
    return {
      code: 'inventory-corrupt',
      message: `The inventory file is damaged: ${text}`,
      hint: 'It is moved aside and made anew; agents tell again what they know.',
      data: {},
    }
  if (code === 'SQLITE_FULL')
    return {
      code: 'disk-full',
      message: `The inventory cannot be written: ${text}`,
      hint: 'Free space on the disk that holds HOLDFAST_HOME.',
      data: {},
    }
  if (code === 'SQLITE_BUSY')
    return {
      code: 'busy',
      message: 'Another program holds the inventory for too long',
      hint: 'Close other Holdfast programs that use the same HOLDFAST_HOME and try again.',
      data: {},
    }
  if (typeof code === 'string' && (code.startsWith('SQLITE_CANTOPEN') || code.startsWith('SQLITE_READONLY') || code.startsWith('SQLITE_IOERR'))) {
    return {
      code: 'bad-input',
      message: `The inventory cannot be opened: ${text}`,
      hint: 'Check that HOLDFAST_HOME is a folder that you may write to.',
      data: {},
    }
  }
  return { code: 'internal', message: text, hint: 'This is a defect: report it with the log of the program that printed it.', data: {} }
}

/** Calls functions of a worker. When the worker ends, calls that wait fail and later ones are refused. */
export function callWorker<H extends Handlers>(worker: Worker): Remote<H> {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  let nextId = 1
  let ended: Error | undefined
  const end = (reason: Error) => {
    ended ??= reason
    for (const { reject } of waiting.values()) reject(ended)
    waiting.clear()
  }
  worker.on('message', (reply: Reply) => {
    const call = waiting.get(reply.id)
    waiting.delete(reply.id)
    if ('error' in reply) call?.reject(new HoldfastError(reply.error.code, reply.error.message, reply.error.hint, reply.error.data))
    else call?.resolve(reply.value)
  })
  worker.on('error', (error) => end(error as Error))
  worker.on('exit', () => end(new HoldfastError('internal', 'The inventory was closed', 'Start the program again.')))
  const call = (method: string, args: unknown[]) =>
    new Promise((resolve, reject) => {
      if (ended) return reject(ended)
      const id = nextId++
      waiting.set(id, { resolve, reject })
      worker.postMessage({ id, method, args } satisfies Request)
    })
  return new Proxy({} as Remote<H>, {
    get: (_target, method) => (typeof method === 'string' && method !== 'then' ? (...args: unknown[]) => call(method, args) : undefined),
  })
}
