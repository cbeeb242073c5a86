import { rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { asHoldfastError } from '../../../core/errors.ts'

/** What the keeper does when asked, by name. */
export type Requests = Record<string, () => unknown>

/**
 * Takes requests on a unix socket: a name and a line feed; the answer is one line of JSON, `{result}` or `{error}`, after which the
 * connection ends.
 */
export function listenForRequests(path: string, requests: Requests): Promise<void> {
  rmSync(path, { force: true })
  const server = createServer((socket) => {
    let text = ''
    socket.setEncoding('utf8')
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      text += chunk as unknown as string
      if (text.includes('\n') || text.length > 100) void answer(socket, requests, text.trim())
    })
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
}

async function answer(socket: Socket, requests: Requests, name: string): Promise<void> {
  try {
    const request = Object.hasOwn(requests, name) ? requests[name] : undefined
    if (!request) throw new Error(`no such request: ${name}`)
    socket.end(`${JSON.stringify({ result: (await request()) ?? null })}\n`)
  } catch (thrown) {
    socket.end(`${JSON.stringify({ error: asHoldfastError(thrown).toDoc() })}\n`)
  }
}
