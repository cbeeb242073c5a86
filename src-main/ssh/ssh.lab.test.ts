import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SshTarget } from '../../core/contract/desktop/host.ts'
import { labDown, labFault, labUp, type LabDescription } from '../../lab/lab.ts'
import { HostKeys } from './host-keys.ts'
import { SshPool } from './pool.ts'
import { Terminals, type TerminalOutput } from './terminals.ts'

/** OpenSSH's own server, on two hosts of a lab. */
describe('SSH to real hosts', () => {
  const name = `ssh-${process.pid}`
  const home = mkdtempSync(join(tmpdir(), 'holdfast-ssh-lab-'))
  const pool = new SshPool(new HostKeys(home))
  let lab: LabDescription

  const address = (index: number) => lab.hosts[index]!.addresses.mgmt
  const target = (index: number, auth: SshTarget['auth'] = { type: 'key', path: lab.sshKeyPath }): SshTarget => ({
    address: address(index),
    port: 22,
    user: 'root',
    auth,
  })
  const fingerprint = (index: number) => lab.hosts[index]!.hostKeyFingerprint

  beforeAll(async () => {
    lab = await labUp({ name, hosts: 2 })
  })
  afterAll(async () => {
    pool.close()
    await labDown({ name })
    rmSync(home, { recursive: true, force: true })
  })

  it('shows the key that the host really has', async () => {
    expect(await pool.look(address(0), 22)).toEqual({ algorithm: 'ssh-ed25519', fingerprint: fingerprint(0), pinned: 'no' })
  })

  it('gets in by password, key and SSH agent, and not with a wrong password', async () => {
    const password = readFileSync(lab.rootPasswordPath, 'utf8').trim()
    const hostname = async (auth: SshTarget['auth']) => {
      using lease = await pool.acquire(target(0, auth), fingerprint(0))
      return (await lease.connection.run(['hostname'])).trim()
    }
    expect(await hostname({ type: 'password', password })).toBe('h1')
    expect(await hostname({ type: 'key', path: lab.sshKeyPath })).toBe('h1')
    await expect(hostname({ type: 'password', password: `${password}x` })).rejects.toMatchObject({ code: 'ssh-auth-failed' })

    const started = spawnSync('ssh-agent', ['-s', '-a', join(home, 'agent')], { encoding: 'utf8' })
    const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(started.stdout)?.[1])
    const before = process.env['SSH_AUTH_SOCK']
    process.env['SSH_AUTH_SOCK'] = join(home, 'agent')
    try {
      await expect(hostname({ type: 'agent' })).rejects.toMatchObject({ code: 'ssh-auth-failed' })
      expect(spawnSync('ssh-add', ['-q', lab.sshKeyPath]).status).toBe(0)
      expect(await hostname({ type: 'agent' })).toBe('h1')
    } finally {
      process.kill(pid)
      if (before === undefined) delete process.env['SSH_AUTH_SOCK']
      else process.env['SSH_AUTH_SOCK'] = before
    }
  })

  it('reaches a host that only the jump host reaches', async () => {
    const jump = { address: address(0), port: 22, user: 'root', keyPath: lab.sshKeyPath }
    // The laptop has no way to the storage plane.
    const behind = lab.hosts[1]!.addresses.storage
    pool.hostKeys.pin(address(0), 22, { algorithm: 'ssh-ed25519', fingerprint: fingerprint(0) })
    expect((await pool.look(behind, 22, jump)).fingerprint).toBe(fingerprint(1))
    using lease = await pool.acquire({ ...target(1), address: behind, jump }, fingerprint(1))
    expect((await lease.connection.run(['hostname'])).trim()).toBe('h2')
  })

  it('carries bytes both ways unchanged, and exit codes and signals', async () => {
    using lease = await pool.acquire(target(0), fingerprint(0))
    const ssh = lease.connection
    const bytes = randomBytes(5_000_000)
    const sum = await ssh.run(['sha256sum'], { stdin: Readable.from([bytes.subarray(0, 1_000_000), bytes.subarray(1_000_000)]) })
    expect(sum.slice(0, 64)).toBe(createHash('sha256').update(bytes).digest('hex'))
    expect(await ssh.exec(['sh', '-c', 'echo out; echo err >&2; exit 3'])).toEqual({ code: 3, signal: null, stdout: 'out\n', stderr: 'err\n' })
    expect(await ssh.exec(['sh', '-c', 'kill -TERM $$'])).toMatchObject({ code: null, signal: 'SIGTERM' })
    // The program ends before it has read what it is sent.
    expect(await ssh.exec(['true'], { stdin: Readable.from([bytes]) })).toMatchObject({ code: 0 })
    // Thirty at once on one connection, beyond what sshd allows (MaxSessions 10 by default), would be refused; eight are not.
    expect(await Promise.all(Array.from({ length: 8 }, (_, index) => ssh.run(['printf', '%s', String(index)])))).toEqual([...'01234567'])
  })

  it('notices that the host is gone', async () => {
    using lease = await pool.acquire(target(1), fingerprint(1))
    const waiting = lease.connection.exec(['sleep', '100'])
    waiting.catch(() => undefined)
    await labFault({ name, host: 'h2', fault: 'power-off' })
    await expect(waiting).rejects.toMatchObject({ code: 'host-unreachable' })
    await expect(pool.acquire(target(1))).rejects.toMatchObject({ code: 'host-unreachable' })
    await labFault({ name, host: 'h2', fault: 'power-on' })
    using again = await pool.acquire(target(1))
    expect((await again.connection.run(['hostname'])).trim()).toBe('h2')
  })

  describe('terminals', () => {
    const terminals = new Terminals((host) => pool.acquire(target(host === 'h1' ? 0 : 1), fingerprint(host === 'h1' ? 0 : 1)))
    afterAll(() => terminals.closeAll())

    /** Reads to the end, or until the text holds `until`. */
    async function read(output: AsyncIterable<TerminalOutput>, until?: string): Promise<{ text: string; code: number | null | undefined }> {
      let text = ''
      for await (const part of output) {
        if (part.type === 'exit') return { text, code: part.code }
        text += part.text
        if (until !== undefined && text.includes(until)) break
      }
      return { text, code: undefined }
    }

    it('gives a shell of the size asked for, resizes it, and tells its exit code', async () => {
      const { id } = await terminals.open('h1', { cols: 91, rows: 33 })
      terminals.input(id, 'hostname; stty size\n')
      expect((await read(terminals.output(id), '33 91')).text).toContain('h1')
      terminals.resize(id, { cols: 100, rows: 40 })
      terminals.input(id, 'stty size; exit 7\n')
      const rest = await read(terminals.output(id))
      expect(rest.text).toContain('40 100')
      expect(rest.code).toBe(7)
      await expect(read(terminals.output(id))).rejects.toMatchObject({ code: 'not-found' })
    })

    it('loses nothing of a long output to a slow reader, and splits no character', async () => {
      const { id } = await terminals.open('h2', { cols: 80, rows: 24 })
      terminals.input(id, 'stty -echo; PS1=; seq -f "é漢🙂 %.0f" 1 60000; exit\n')
      let text = ''
      for await (const part of terminals.output(id)) {
        if (part.type === 'data') text += part.text
        if (Math.random() < 0.05) await new Promise((resolve) => setTimeout(resolve, 20))
      }
      const numbers = [...text.matchAll(/é漢🙂 (\d+)\r/g)].map((match) => Number(match[1]))
      expect(numbers).toEqual(Array.from({ length: 60_000 }, (_, index) => index + 1))
      expect(text).not.toContain('\ufffd')
    })

    it('keeps a bounded backlog for a reader that comes late, and hangs up on close', async () => {
      const { id } = await terminals.open('h1', { cols: 80, rows: 24 })
      terminals.input(id, 'seq 1 200000; echo the-end-$((40 + 2))\n')
      await new Promise((resolve) => setTimeout(resolve, 1500))
      const { text } = await read(terminals.output(id), 'the-end-42')
      expect(text.length).toBeLessThan(1_000_000)
      expect(text).toContain('200000')
      using lease = await pool.acquire(target(0))
      terminals.close(id)
      expect((await lease.connection.run(['sh', '-c', 'sleep 0.5; who | wc -l'])).trim()).toBe('0')
    })
  })
})
