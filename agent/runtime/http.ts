import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { errorBody } from '../../core/contract/errors.ts'
import { errorCodes, HoldfastError } from '../../core/errors.ts'

/** Largest request that any server of the agent takes, HTTP body or WebSocket message. */
export const maxRequestBytes = 1024 * 1024

const tooLarge = () =>
  new HoldfastError('bad-input', `The request is larger than ${maxRequestBytes} bytes`, 'Send less at once.', { maxBytes: maxRequestBytes })

/** Reads a request's body, at most `maxRequestBytes`. Throws `bad-input` when it is larger or breaks off. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > maxRequestBytes) throw tooLarge()
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > maxRequestBytes) throw tooLarge()
      chunks.push(chunk)
    }
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause
    throw new HoldfastError('bad-input', 'The request broke off before it was complete', 'Send it again.', {}, { cause })
  }
  return Buffer.concat(chunks)
}

/** Parses a JSON body; undefined when empty. Throws `bad-input`. */
export function parseJsonBody(body: Buffer): unknown {
  if (body.length === 0) return undefined
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (cause) {
    throw new HoldfastError('bad-input', 'The body of the request is not JSON', 'Send JSON in UTF-8.', {}, { cause })
  }
}

/** Answers with a JSON document. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), 'cache-control': 'no-store' })
  response.end(text)
}

/** Answers with an ErrorDoc, and closes the connection when the request has a body that was not read to its end. */
export function sendError(request: IncomingMessage, response: ServerResponse, error: HoldfastError): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const hasBody = request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0
  if (hasBody && !request.complete) {
    response.setHeader('connection', 'close')
    // Closing over what came and was not read resets the connection, and the caller would never see the answer.
    request.resume()
  }
  sendJson(response, errorCodes[error.code], errorBody(error))
}

/** Answers a WebSocket upgrade with an ErrorDoc over plain HTTP and closes. */
export function refuseUpgrade(socket: Duplex, error: HoldfastError): void {
  const text = JSON.stringify(errorBody(error))
  const status = errorCodes[error.code]
  socket.on('error', () => socket.destroy())
  socket.end(
    `HTTP/1.1 ${status} Refused\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
    () => socket.destroy(),
  )
}
