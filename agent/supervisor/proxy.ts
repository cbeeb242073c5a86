import http, { type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { HoldfastError } from '../../core/errors.ts'
import { headersFromContext, type CallerContext } from '../runtime/context.ts'
import { maxRequestBytes, refuseUpgrade, sendError } from '../runtime/http.ts'

/** Headers of one hop (RFC 9110, 7.6.1); an upgrade sets its own. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** How long a module may take to begin its answer, in milliseconds. */
const answerMs = 60_000

/** How long a caller may take to hear why a module closed its connection, in milliseconds. */
const lastWordsMs = 1000

const unavailable = (name: string, cause?: unknown) =>
  new HoldfastError(
    'module-unhealthy',
    `The module ${name} does not answer on this host`,
    'It is being started or replaced: try again in some seconds; else see its log in /var/log/holdfast.',
    { module: name },
    { cause },
  )

/** What of a caller's headers goes on to a module: never a word of ours, since modules believe those. */
function forwardedHeaders(headers: IncomingHttpHeaders, caller: CallerContext): OutgoingHttpHeaders {
  const listed = new Set((headers.connection ?? '').toLowerCase().split(/\s*,\s*/))
  const kept = Object.entries(headers).filter(([name]) => !hopByHop.has(name) && !listed.has(name) && !name.startsWith('x-holdfast-'))
  return { ...Object.fromEntries(kept), ...headersFromContext(caller) }
}

/** Passes a request to a module's socket and its answer back, in bounded memory; never throws. */
export function proxyRequest(
  name: string,
  socketPath: string | null,
  caller: CallerContext,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const tooLarge = () =>
    new HoldfastError('bad-input', `The request is larger than ${maxRequestBytes} bytes`, 'Send less at once.', { maxBytes: maxRequestBytes })
  if (socketPath === null) return sendError(request, response, unavailable(name))
  if (Number(request.headers['content-length'] ?? 0) > maxRequestBytes) return sendError(request, response, tooLarge())

  const upstream = http.request({
    socketPath,
    method: request.method,
    path: request.url,
    // The module shall leave the connection open after its answer: were it to close it, Node's last (empty) write would fail before
    // the answer was read. It is used once all the same, and ended with the answer.
    headers: { ...forwardedHeaders(request.headers, caller), connection: 'keep-alive' },
    agent: false,
    timeout: answerMs,
  })
  const refuse = (error: HoldfastError) => {
    sendError(request, response, error)
    upstream.destroy()
  }
  upstream.on('timeout', () => refuse(unavailable(name)))
  upstream.on('error', (cause) => refuse(unavailable(name, cause)))
  upstream.on('response', (answer) => {
    upstream.setTimeout(0)
    const headers = Object.fromEntries(Object.entries(answer.headers).filter(([header]) => !hopByHop.has(header)))
    response.writeHead(answer.statusCode ?? 502, headers)
    answer.on('error', () => response.destroy())
    answer.pipe(response)
  })
  response.on('close', () => upstream.destroy())

  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > maxRequestBytes) refuse(tooLarge())
  })
  request.on('error', () => upstream.destroy())
  request.pipe(upstream)
}

/** Passes an upgraded connection through to a module's socket, byte by byte both ways. The module bounds the size of frames. */
export function proxyUpgrade(
  name: string,
  socketPath: string | null,
  caller: CallerContext,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  if (socketPath === null) return refuseUpgrade(socket, unavailable(name))
  let open = false
  const upstream = connect(socketPath, () => {
    open = true
    const headers = { ...forwardedHeaders(request.headers, caller), connection: 'Upgrade', upgrade: 'websocket' }
    const lines = Object.entries(headers).flatMap(([header, value]) => [value].flat().map((one) => `${header}: ${one}`))
    upstream.write(`GET ${request.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
    if (head.length > 0) upstream.write(head)
    upstream.pipe(socket)
    socket.pipe(upstream)
  })
  upstream.on('error', (cause) => open || refuseUpgrade(socket, unavailable(name, cause)))
  upstream.on('close', () => {
    if (!open) return
    // What the module said last goes out before the connection ends, and what still comes is dropped instead of resetting it.
    socket.resume()
    socket.end()
    setTimeout(() => socket.destroy(), lastWordsMs).unref()
  })
  socket.on('error', () => upstream.destroy())
  socket.on('close', () => upstream.destroy())
}
