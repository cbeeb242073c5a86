import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ssh2 from 'ssh2'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SshTarget } from '../../core/contract/desktop/host.ts'
import type { HoldfastError } from '../../core/errors.ts'
import { HostKeys } from './host-keys.ts'
import { SshPool } from './pool.ts'

const { Server, utils } = ssh2

/** An ECDSA P-256 key as ssh2 reads it. */
const newKey = (): string => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'sec1', format: 'pem' }) as string

/** A server in this process that takes one password and one key, and answers `exec` with what it was asked. */
function startServer(hostKey: string, clientKey: string) {
  const seen = { connections: 0, authenticated: 0, attempts: 0 }
  const server = new Server({ hostKeys: [hostKey] }, (client) => {
    seen.connections += 1
    client.on('error', () => undefined)
    client.on('authentication', (context) => {
      seen.attempts += 1
      const key = utils.parseKey(clientKey)
      const good =
        (context.method === 'password' && context.password === 'right') ||
        (context.method === 'publickey' && !(key instanceof Error) && context.key.data.equals(key.getPublicSSH()))
      if (good) {
        context.accept()
        if (context.method === 'password' || context.signature) seen.authenticated += 1
      } else context.reject()
    })
    client.on('session', (accept) => {
      accept().on('exec', (acceptExec, _reject, info) => {
        const stream = acceptExec()
        if (info.command.includes('flood')) stream.write('x'.repeat(20_000))
        else if (info.command.includes('hang')) return
        else stream.write(info.command)
        stream.exit(info.command.includes('false') ? 1 : 0)
        stream.end()
      })
    })
    client.on('tcpip', (accept, _reject, info) => {
      const onward = connect(info.destPort, info.destIP)
      const stream = accept()
      onward.pipe(stream).pipe(onward)
      onward.on('error', () => stream.destroy())
      stream.on('error', () => onward.destroy())
    })
  })
  return { server, seen }
}

const codeOf = async (work: Promise<unknown>) =>
  await work.then(
    () => 'no error',
    (error: HoldfastError) => error.code,
  )

describe('SSH', () => {
  let dir: string
  let pool: SshPool
  const closers: (() => Promise<void>)[] = []
  const keys = { host: newKey(), other: newKey(), mine: newKey() }

  async function listen(hostKey = keys.host) {
    const { server, seen } = startServer(hostKey, keys.mine)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closers.push(() => new Promise((resolve) => server.close(() => resolve())))
    return { port: (server.address() as AddressInfo).port, seen }
  }
  const byPassword = (port: number, password = 'right'): SshTarget => ({
    address: '127.0.0.1',
    port,
    user: 'root',
    auth: { type: 'password', password },
  })
  const byKey = (port: number): SshTarget => ({ address: '127.0.0.1', port, user: 'root', auth: { type: 'key', path: join(dir, 'key') } })

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'holdfast-ssh-'))
    writeFileSync(join(dir, 'key'), keys.mine, { mode: 0o600 })
    pool = new SshPool(new HostKeys(dir))
  })
  afterEach(async () => {
    pool.close()
    await Promise.all(closers.splice(0).map((close) => close()))
    rmSync(dir, { recursive: true, force: true })
  })

  it('shows the host key and sends nothing else', async () => {
    const { port, seen } = await listen()
    const shown = await pool.look('127.0.0.1', port)
    expect(shown).toMatchObject({ algorithm: 'ecdsa-sha2-nistp256', pinned: 'no' })
    expect(shown.fingerprint).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/)
    expect(seen.attempts).toBe(0)
  })

  it('refuses an unknown key before authentication and pins an accepted one', async () => {
    const { port, seen } = await listen()
    expect(await codeOf(pool.acquire(byPassword(port)))).toBe('host-key-unknown')
    expect(await codeOf(pool.acquire(byPassword(port), 'SHA256:another'))).toBe('host-key-changed')
    expect(seen.attempts).toBe(0)
    const { fingerprint } = await pool.look('127.0.0.1', port)
    using lease = await pool.acquire(byPassword(port), fingerprint)
    expect(await lease.connection.run(['echo', "it's"])).toBe(`'echo' 'it'\\''s'`)
    expect((await pool.look('127.0.0.1', port)).pinned).toBe('yes')
  })

  it('refuses a changed key, names both, and takes it only after it was pinned anew', async () => {
    const { port, seen } = await listen(keys.other)
    pool.hostKeys.pin('127.0.0.1', port, { algorithm: 'ssh-ed25519', fingerprint: 'SHA256:old' })
    const shown = await pool.look('127.0.0.1', port)
    expect(shown.pinned).toBe('changed')
    const error = await pool.acquire(byPassword(port), shown.fingerprint).then(
      () => null,
      (thrown: HoldfastError) => thrown,
    )
    expect(error).toMatchObject({ code: 'host-key-changed', data: { pinned: 'SHA256:old', shown: shown.fingerprint } })
    expect(error?.hint).toContain('--accept')
    expect(seen.attempts).toBe(0)
    pool.hostKeys.pin('127.0.0.1', port, shown)
    using lease = await pool.acquire(byPassword(port))
    expect(lease.connection.closed).toBe(false)
  })

  it('tells a wrong password, a wrong key, a missing key and a closed port apart', async () => {
    const { port } = await listen()
    const { fingerprint } = await pool.look('127.0.0.1', port)
    expect(await codeOf(pool.acquire(byPassword(port, 'wrong'), fingerprint))).toBe('ssh-auth-failed')
    writeFileSync(join(dir, 'key'), keys.other)
    expect(await codeOf(pool.acquire(byKey(port)))).toBe('ssh-auth-failed')
    rmSync(join(dir, 'key'))
    expect(await codeOf(pool.acquire(byKey(port)))).toBe('not-found')
    writeFileSync(join(dir, 'key'), 'nonsense')
    expect(await codeOf(pool.acquire(byKey(port)))).toBe('ssh-auth-failed')
    expect(await codeOf(pool.acquire(byPassword(1), fingerprint))).toBe('host-unreachable')
  })

  it('shares one connection, and a wrong password does not ride on it', async () => {
    const { port, seen } = await listen()
    const { fingerprint } = await pool.look('127.0.0.1', port)
    const before = seen.connections
    const [first, second] = await Promise.all([pool.acquire(byKey(port), fingerprint), pool.acquire(byKey(port), fingerprint)])
    expect(seen.connections).toBe(before + 1)
    expect(first.connection).toBe(second.connection)
    expect(await codeOf(pool.acquire(byPassword(port, 'wrong')))).toBe('ssh-auth-failed')
    first[Symbol.dispose]()
    expect(await second.connection.run(['true'])).toBe(`'true'`)
    const closed = new Promise<void>((resolve) => second.connection.onClose(resolve))
    second[Symbol.dispose]()
    await closed
    expect(await codeOf(second.connection.exec(['true']))).toBe('host-unreachable')
  })

  it('goes through a jump host whose own key is pinned', async () => {
    const [jump, behind] = [await listen(keys.other), await listen()]
    const via = { address: '127.0.0.1', port: jump.port, user: 'root', keyPath: join(dir, 'key') }
    const target: SshTarget = { ...byKey(behind.port), jump: via }
    expect(await codeOf(pool.acquire(target))).toBe('host-key-unknown')
    expect(behind.seen.connections).toBe(0)
    pool.hostKeys.pin('127.0.0.1', jump.port, await pool.look('127.0.0.1', jump.port))
    const { fingerprint } = await pool.look('127.0.0.1', behind.port, via)
    using lease = await pool.acquire(target, fingerprint)
    expect(await lease.connection.run(['hello'])).toBe(`'hello'`)
  })

  it('answers an exit code, bounds output and time', async () => {
    const { port } = await listen()
    using lease = await pool.acquire(byKey(port), (await pool.look('127.0.0.1', port)).fingerprint)
    expect((await lease.connection.exec(['false'])).code).toBe(1)
    expect(await codeOf(lease.connection.run(['false']))).toBe('step-failed')
    expect(await codeOf(lease.connection.exec(['flood'], { maxOutputBytes: 1000 }))).toBe('step-failed')
    expect(await codeOf(lease.connection.exec(['hang'], { timeoutMs: 50 }))).toBe('timeout')
    const stop = new AbortController()
    const hanging = lease.connection.exec(['hang'], { signal: stop.signal })
    stop.abort(new Error('cancelled'))
    await expect(hanging).rejects.toThrow('cancelled')
  })
})
