import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { listingSchema, statusSchema } from '../../core/contract/desktop/inventory.ts'
import { errorDocSchema } from '../../core/model/task.ts'
import { labDescription, labDown } from '../../lab/lab.ts'

/** `lab …` as a person types it, on the smallest lab there is. */
describe('lab commands', () => {
  const name = `labcli-${process.pid}`
  const home = mkdtempSync(join(tmpdir(), 'holdfast-lab-'))

  afterAll(async () => {
    await labDown({ name })
    rmSync(home, { recursive: true, force: true })
  })

  const holdfast = (...argv: string[]) => runAt({ HOLDFAST_HOME: home }, argv)
  async function runAt(env: Record<string, string>, argv: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const child = spawn(process.execPath, [join(import.meta.dirname, '../cli/main.ts'), ...argv], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    return await new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })))
  }
  const up = async () => {
    const { code, stdout, stderr } = await holdfast('lab', 'up', '--name', name, '--hosts', '1', '--json')
    expect(code, stderr).toBe(0)
    return { status: statusSchema.parse(JSON.parse(stdout)), stderr }
  }

  it('up: the host is up, the cluster has a leader, and its context is current', async () => {
    const { status } = await up()
    expect(status).toMatchObject({ cluster: { name, leader: 'h1', quorum: true }, hosts: [{ name: 'h1', state: 'up' }] })
    expect(JSON.parse((await holdfast('context', 'list', '--json')).stdout)).toMatchObject([{ name, current: true }])
  })

  it('up again: nothing is installed, nothing restarts', async () => {
    const pids = (await holdfast('lab', 'exec', 'h1', '--name', name, '--', 'pgrep', '-f', '^/opt/holdfast')).stdout
    const { stderr } = await up()
    expect(stderr).not.toContain('Install')
    expect((await holdfast('lab', 'exec', 'h1', '--name', name, '--', 'pgrep', '-f', '^/opt/holdfast')).stdout).toBe(pids)
  })

  it('physical and plain: machines are added, shown, cut, kept by lab up, and removed', async () => {
    const lab = async (...argv: string[]) => {
      const { code, stdout, stderr } = await holdfast('lab', ...argv, '--name', name, '--json')
      return { code, stderr, document: JSON.parse(stdout) as unknown }
    }
    const server = await lab(
      'physical',
      'add',
      'phys-1',
      '--switch',
      'tor2',
      '--vlan',
      '100',
      '--address',
      '10.20.1.31/24',
      '--mac',
      '02:00:00:00:01:1f',
    )
    expect(server, server.stderr).toMatchObject({
      code: 0,
      document: {
        ...{ name: 'phys-1', switch: 'tor2', port: 'swp19', vlan: 100, mac: '02:00:00:00:01:1f', address: '10.20.1.31/24' },
        ...{ power: 'on', link: 'up' },
      },
    })
    const plain = await lab('plain', 'add', 'legacy-1')
    expect(plain, plain.stderr).toMatchObject({ code: 0, document: { name: 'legacy-1', switch: 'tor1', port: 'swp20', vlan: null } })
    expect((await lab('fault', 'phys-1', 'power-off')).code).toBe(0)
    await up()
    expect((await lab('status')).document).toEqual({ name, state: 'up', hosts: expect.anything(), added: [server.document, plain.document] })
    expect((await lab('physical', 'remove', 'phys-1')).code).toBe(0)
    expect((await lab('physical', 'add', 'phys-1', '--switch', 'tor2')).code).toBe(2)
  })

  it('another laptop is let in by root of a host, and by lab up itself; not over a host key that nobody accepted', async () => {
    const { hosts, sshKeyPath } = await labDescription({ name })
    const [{ addresses, hostKeyFingerprint }] = hosts as [(typeof hosts)[number]]
    const other = mkdtempSync(join(tmpdir(), 'holdfast-lab-other-'))
    const env = { HOLDFAST_HOME: other, HOLDFAST_PASSPHRASE_FILE: join(other, 'passphrase') }
    try {
      writeFileSync(env.HOLDFAST_PASSPHRASE_FILE, 'correct horse battery\n', { mode: 0o600 })
      const add = ['context', 'add', addresses.mgmt, '--key', sshKeyPath, '--json']
      expect(errorDocSchema.parse(JSON.parse((await runAt(env, add)).stdout))).toMatchObject({ code: 'host-key-unknown' })
      const added = await runAt(env, [...add, '--fingerprint', hostKeyFingerprint])
      expect(added.code, added.stderr).toBe(0)
      const reads = async () => {
        const { stdout } = await runAt(env, ['status', '--json'])
        expect(statusSchema.parse(JSON.parse(stdout))).toMatchObject({ cluster: { name, leader: 'h1' }, hosts: [{ name: 'h1', state: 'up' }] })
      }
      await reads()
      expect(await runAt(env, ['context', 'remove', name])).toMatchObject({ code: 0 })
      const { code, stderr } = await runAt(env, ['lab', 'up', '--name', name])
      expect(code, stderr).toBe(0)
      expect(stderr).not.toContain('Install')
      await reads()
    } finally {
      rmSync(other, { recursive: true, force: true })
    }
  })

  it('exec: stdout, stderr and exit status are the program’s', async () => {
    expect(await holdfast('lab', 'exec', 'h1', '--name', name, '--', 'sh', '-c', 'hostname; echo "to stderr --json" >&2; exit 9')).toEqual({
      code: 9,
      stdout: 'h1\n',
      stderr: 'to stderr --json\n',
    })
    expect((await holdfast('lab', 'exec', 'h9', '--name', name, '--', 'true')).code).toBe(1)
    const none = await holdfast('lab', 'fault', 'h1', 'explode', '--name', name, '--json')
    expect(none.code).toBe(2)
    expect(errorDocSchema.parse(JSON.parse(none.stdout)).hint).toContain('power-off')
  })

  it('fault: a host that is off is seen as such in time, and comes back with up', async () => {
    expect(await holdfast('lab', 'fault', 'h1', 'power-off', '--name', name)).toMatchObject({ code: 0 })
    const { code, stdout } = await holdfast('status', '--json')
    expect(code).toBe(0)
    expect(statusSchema.parse(JSON.parse(stdout))).toMatchObject({ cluster: { leader: null }, hosts: [{ name: 'h1', state: 'unknown' }] })
    const { status, stderr } = await up()
    expect(stderr).toContain('Powering h1 on')
    expect(status).toMatchObject({ cluster: { leader: 'h1' }, hosts: [{ name: 'h1', state: 'up' }] })
  })

  it('down: context and inventory are kept', async () => {
    expect(await holdfast('lab', 'down', '--name', name)).toMatchObject({ code: 0 })
    const { stdout } = await holdfast('inventory', 'list', 'hosts', '--offline', '--json')
    const listing = listingSchema.parse(JSON.parse(stdout))
    expect(listing.items).toMatchObject([{ name: 'h1' }])
    expect(listing.ageMs).toBeGreaterThan(0)
    expect((await holdfast('search', 'h1')).stdout).toContain('host')
  })
})
