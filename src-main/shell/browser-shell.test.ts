import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/websocket'
import type { ContractRouterClient } from '@orpc/contract'
import { implement } from '@orpc/server'
import fc from 'fast-check'
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { request, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { desktopContract, type DesktopContract } from '../../core/contract/desktop/index.ts'
import { startBrowserShell } from './browser-shell.ts'
import { type DesktopRouter, maxMessageBytes, type Shell } from './shell.ts'

const contexts = [{ name: 'lab', endpoints: ['10.77.0.11:7443'], current: true, recording: false }]
const os = implement(desktopContract)
const router = { context: { list: os.context.list.handler(() => contexts) } } as unknown as DesktopRouter

let folder: string
let shell: Shell
let addresses: string[]
let port: number

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-shell-'))
  const screens = path.join(folder, 'screens')
  await mkdir(path.join(screens, 'assets'), { recursive: true })
  await writeFile(path.join(screens, 'index.html'), '<!doctype html><title>Holdfast</title>')
  await writeFile(path.join(screens, 'assets', 'main.js'), 'export {}')
  await writeFile(path.join(folder, 'secret.json'), '{}')
  addresses = []
  shell = await startBrowserShell({ router, directory: screens, announce: (address) => addresses.push(address) })
  await shell.open()
  port = Number(new URL(addresses[0]!).port)
})

afterEach(async () => {
  await shell.close()
  await rm(folder, { recursive: true })
})

interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

function get(urlPath: string, options: { host?: string; cookie?: string; method?: string } = {}): Promise<Answer> {
  const headers = { host: options.host ?? `127.0.0.1:${port}`, ...(options.cookie ? { cookie: options.cookie } : {}) }
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: urlPath, method: options.method ?? 'GET', headers, agent: false }, (response) => {
      let body = ''
      response.on('data', (chunk) => (body += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
    })
      .on('error', reject)
      .end()
  })
}

async function signIn(): Promise<string> {
  const url = new URL(addresses.at(-1)!)
  const answer = await get(url.pathname + url.search)
  expect(answer.status).toBe(200)
  return answer.headers['set-cookie']![0]!.split(';')[0]!
}

/** Opens a WebSocket; the HTTP status of the refusal, or the open socket. */
function openSocket(headers: Record<string, string>, urlPath = '/desktop'): Promise<number | WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${urlPath}`, { headers })
  return new Promise((resolve, reject) => {
    socket.on('open', () => resolve(socket))
    socket.on('unexpected-response', (_request, response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    socket.on('error', reject)
  })
}

describe('the session', () => {
  test('is opened once by the token, with a cookie that scripts cannot read and other sites cannot send', async () => {
    const url = new URL(addresses[0]!)
    const first = await get(url.pathname + url.search)
    expect(first.status).toBe(200)
    expect(first.headers['set-cookie']![0]).toMatch(/^holdfast-\d+=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/$/)
    const second = await get(url.pathname + url.search)
    expect(second.status).toBe(403)
    expect(second.headers['set-cookie']).toBeUndefined()
    expect(second.body).toContain('used already')
  })

  test('a HEAD of a link preview does not use the token up', async () => {
    const url = new URL(addresses[0]!)
    expect((await get(url.pathname + url.search, { method: 'HEAD' })).status).toBe(403)
    await signIn()
  })

  test('a newer address voids the one before; the sessions opened stay', async () => {
    const cookie = await signIn()
    await shell.open()
    await shell.open()
    const [, older, newest] = addresses.map((address) => new URL(address))
    expect((await get(older!.pathname + older!.search)).status).toBe(403)
    expect((await get(newest!.pathname + newest!.search)).status).toBe(200)
    expect((await get('/', { cookie })).status).toBe(200)
  })

  test('without it nothing is served', async () => {
    for (const urlPath of ['/', '/index.html', '/assets/main.js', '/nothing']) expect((await get(urlPath)).status).toBe(401)
    expect((await get('/', { cookie: `holdfast-${port}=guess` })).status).toBe(401)
    expect((await get('/?token=guess')).status).toBe(403)
  })
})

describe('what is served', () => {
  test('the screens, with a policy on every answer', async () => {
    const cookie = await signIn()
    const answers = [await get('/', { cookie }), await get('/assets/main.js', { cookie }), await get('/nothing.js', { cookie }), await get('/')]
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 404, 401])
    expect(answers[1]!.headers['content-type']).toBe('text/javascript; charset=utf-8')
    for (const { headers } of answers) {
      const policy = headers['content-security-policy'] as string
      expect(policy).toContain(`default-src 'none'; script-src 'self'; worker-src 'self';`)
      expect(policy).toContain(`connect-src 'self' ws://127.0.0.1:${port};`)
      expect(policy).toContain(`frame-ancestors 'none'`)
      expect(policy).not.toContain('unsafe-eval')
      expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cache-control': 'no-store' })
    }
  })

  test('nothing outside the folder of the screens', async () => {
    const cookie = await signIn()
    const paths = [
      '/../secret.json',
      '/%2e%2e/secret.json',
      '/..%2fsecret.json',
      '/assets/../../secret.json',
      '/%00',
      '/%',
      '/assets',
      '//etc/passwd',
    ]
    for (const urlPath of paths) expect((await get(urlPath, { cookie })).status, urlPath).toBe(404)
  })

  test('another name for this address is refused, as DNS rebinding would use', async () => {
    const cookie = await signIn()
    for (const host of ['evil.example', `evil.example:${port}`, `localhost:${port}`, '127.0.0.1']) {
      expect((await get('/', { host, cookie })).status, host).toBe(421)
    }
    expect((await get('/', { cookie, method: 'POST' })).status).toBe(405)
  })

  test('it listens on loopback alone', async () => {
    const outcome = await new Promise<string>((resolve) => {
      const socket = connect({ host: '127.0.0.2', port })
      socket.on('connect', () => resolve('connected'))
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    })
    expect(outcome).toBe('ECONNREFUSED')
  })
})

describe('the contract over a WebSocket', () => {
  test('answers a page of ours', async () => {
    const cookie = await signIn()
    const socket = (await openSocket({ cookie, origin: `http://127.0.0.1:${port}` })) as WebSocket
    const client: ContractRouterClient<DesktopContract> = createORPCClient(new RPCLink({ websocket: socket as unknown as globalThis.WebSocket }))
    expect(await client.context.list()).toEqual(contexts)
    socket.close()
  })

  test('is refused without the cookie, to another origin, under another name, at another place', async () => {
    const cookie = await signIn()
    const origin = `http://127.0.0.1:${port}`
    expect(await openSocket({ origin })).toBe(401)
    expect(await openSocket({ cookie })).toBe(403)
    expect(await openSocket({ cookie, origin: 'http://evil.example' })).toBe(403)
    expect(await openSocket({ cookie, origin: `http://localhost:${port}` })).toBe(403)
    expect(await openSocket({ cookie, origin, host: 'evil.example' })).toBe(421)
    expect(await openSocket({ cookie, origin }, '/elsewhere')).toBe(404)
  })

  test('a message over the limit ends that window and no other', async () => {
    const headers = { cookie: await signIn(), origin: `http://127.0.0.1:${port}` }
    const [greedy, other] = (await Promise.all([openSocket(headers), openSocket(headers)])) as [WebSocket, WebSocket]
    const closed = new Promise<number>((resolve) => greedy.on('close', resolve))
    greedy.send('x'.repeat(maxMessageBytes + 1))
    expect(await closed).toBe(1009)
    expect(other.readyState).toBe(WebSocket.OPEN)
    other.close()
  })

  test('anything else as a message ends that window; the shell goes on serving', async () => {
    const headers = { cookie: await signIn(), origin: `http://127.0.0.1:${port}` }
    const message = fc.oneof(
      fc.string(),
      fc.uint8Array({ maxLength: 64 }),
      fc.json(),
      fc.record({ i: fc.string(), p: fc.record({ u: fc.string().filter((url) => !url.startsWith('/')) }) }).map((loose) => JSON.stringify(loose)),
      fc.record({ i: fc.string(), t: fc.integer({ min: 5 }), p: fc.object() }).map((loose) => JSON.stringify(loose)),
    )
    await fc.assert(
      fc.asyncProperty(message, async (payload) => {
        const socket = (await openSocket(headers)) as WebSocket
        const closed = new Promise<number>((resolve) => socket.on('close', resolve))
        socket.send(payload)
        expect(await closed).toBe(1007)
      }),
      { numRuns: 100 },
    )
    expect((await get('/', { cookie: headers.cookie })).status).toBe(200)
  })
})
