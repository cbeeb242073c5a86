import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { listingSchema, statusSchema } from '../../core/contract/desktop/inventory.ts'
import { errorDocSchema, taskSchema, type Task } from '../../core/model/task.ts'
import { labCapture, labDown, labFault, labUp, type LabDescription } from '../../lab/lab.ts'
import { packAgent, type PackOptions } from '../../scripts/pack-agent.ts'
import { createServices } from '../main.ts'
import type { Services } from '../services.ts'

/**
 * The whole life of an agent on real hosts, by the command line as a person uses it: every refusal before anything is changed,
 * a half-installed host, founding, joining, interruption, upgrade, roll-back, removal. One lab, in the order of a day.
 */
describe('hosts of a lab', () => {
  const name = `deploy-${process.pid}`
  const home = mkdtempSync(join(tmpdir(), 'holdfast-deploy-'))
  const env = { ...process.env, HOLDFAST_HOME: home, HOLDFAST_PASSPHRASE_FILE: join(home, 'passphrase') }
  let lab: LabDescription

  beforeAll(async () => {
    // Packed here, so that no step below waits for it.
    ;[lab] = await Promise.all([labUp({ name }), packAgent()])
    writeFileSync(env.HOLDFAST_PASSPHRASE_FILE, 'correct horse battery\n', { mode: 0o600 })
  })
  afterAll(async () => {
    await labDown({ name })
    rmSync(home, { recursive: true, force: true })
  })

  function start(argv: string[]) {
    const child = spawn(process.execPath, [join(import.meta.dirname, '../cli/main.ts'), ...argv], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
      child.on('close', (code) => resolve({ code, stdout, stderr })),
    )
    return { child, ended, said: () => stderr }
  }
  const holdfast = async (...argv: string[]) => await start(argv).ended
  const json = async (...argv: string[]): Promise<unknown> => JSON.parse((await holdfast(...argv, '--json')).stdout)
  const inside = async (host: string, script: string) => await labCapture({ name, host, argv: ['sh', '-c', script] })

  const hostOf = (host: string) => lab.hosts.find((one) => one.name === host)!
  const addArgs = (host: string, ...more: string[]) => {
    const { mgmt, storage, tenant } = hostOf(host).addresses
    return ['host', 'add', host, '--address', mgmt, '--storage', storage, '--tenant', tenant, ...more]
  }
  const withKey = (host: string, ...more: string[]) =>
    addArgs(host, '--key', lab.sshKeyPath, '--fingerprint', hostOf(host).hostKeyFingerprint, ...more)
  const founding = ['--new-cluster', 'first', '--cluster-ip']

  const nothingOn = async (host: string) =>
    expect(
      (
        await inside(
          host,
          'ls -d /opt/holdfast /etc/holdfast /var/lib/holdfast /etc/init.d/holdfast-agent /etc/rc2.d/*holdfast* 2>/dev/null; pgrep -af "^/opt/holdfast|^sh /opt/holdfast"; pgrep -a etcd',
        )
      ).stdout,
    ).toBe('')

  describe('refuses, with a reason and a remedy, before anything is changed', () => {
    let services: Services
    beforeAll(async () => {
      services = await createServices({ home })
    })
    afterAll(async () => await services[Symbol.asyncDispose]())

    type Add = Parameters<Services['desktop']['host']['add']>[0]

    /** Founds a cluster with a host; `change` makes it wrong. The task must fail: its error. */
    async function refused(host: string, change: Partial<Add> = {}): Promise<NonNullable<Task['error']>> {
      const { addresses, hostKeyFingerprint } = hostOf(host)
      const task = await services.desktop.host.add({
        name: host,
        target: { address: addresses.mgmt, auth: { type: 'key', path: lab.sshKeyPath } },
        addresses,
        fingerprint: hostKeyFingerprint,
        newCluster: { name: 'first', clusterIp: lab.clusterIp },
        ...change,
      })
      const ended = await services.tasks.finished(task.id)
      expect(ended.state).toBe('failed')
      expect(ended.error?.hint).not.toBe('')
      return ended.error!
    }

    it('an unknown and a changed host key', async () => {
      const { mgmt } = hostOf('h1').addresses
      expect(await services.desktop.host.hostKey({ address: mgmt })).toMatchObject({ fingerprint: hostOf('h1').hostKeyFingerprint, pinned: 'no' })
      expect(await refused('h1', { fingerprint: undefined })).toMatchObject({ code: 'host-key-unknown' })
      // Somebody else answers at an address whose key is known.
      const other = hostOf('h2')
      const address = other.addresses.mgmt
      expect(await json('host', 'key', address, '--accept', other.hostKeyFingerprint)).toMatchObject({ pinned: 'yes' })
      await inside('h2', 'rm /etc/ssh/ssh_host_*; ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key && kill -HUP $(cat /run/sshd.pid)')
      const shown = (await inside('h2', 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key')).stdout.split(' ')[1]!
      expect(await refused('h2')).toMatchObject({ code: 'host-key-changed', data: { pinned: other.hostKeyFingerprint, shown } })
      await expect(services.desktop.host.acceptKey({ address, fingerprint: 'SHA256:wrong' })).rejects.toMatchObject({ code: 'host-key-changed' })
      await services.desktop.host.acceptKey({ address, fingerprint: shown })
      other.hostKeyFingerprint = shown
    })

    it('a wrong password', async () => {
      const target = { address: hostOf('h1').addresses.mgmt, auth: { type: 'password' as const, password: 'wrong' } }
      expect(await refused('h1', { target })).toMatchObject({ code: 'ssh-auth-failed' })
    })

    it('a key that could not be kept, before a cluster is made for it', async () => {
      expect(await refused('h1')).toMatchObject({ code: 'vault-locked' })
      await services.vault.unlock('correct horse battery')
    })

    it('a clock that is ten minutes off', async () => {
      await labFault({ name, host: 'h1', fault: 'clock', offsetSeconds: 600 })
      expect(await refused('h1')).toMatchObject({ code: 'clock-skew', message: expect.stringContaining('10 min ahead') as string })
      await labFault({ name, host: 'h1', fault: 'clock', offsetSeconds: 0 })
    })

    it('a system that the agent does not run on', async () => {
      await inside(
        'h1',
        'printf "ID=alpine\\nVERSION_ID=3.20\\nPRETTY_NAME=Alpine\\n" > /tmp/os-release && mount --bind /tmp/os-release $(readlink -f /etc/os-release)',
      )
      expect(await refused('h1')).toMatchObject({ code: 'system-unsupported', message: expect.stringContaining('Alpine') as string })
      await inside('h1', 'umount $(readlink -f /etc/os-release)')
    })

    it('a disk without room', async () => {
      await inside('h1', 'mkdir -p /opt && mount -t tmpfs -o size=20m small /opt')
      const error = await refused('h1')
      expect(error).toMatchObject({ code: 'disk-full' })
      expect(error.message).toMatch(/\/opt has \d+ MiB free, \d+ MiB are needed/)
      await inside('h1', 'umount /opt')
    })

    it('a port that another program holds', async () => {
      await inside(
        'h1',
        'setsid etcd --data-dir /tmp/other-etcd >/dev/null 2>&1 </dev/null & for i in $(seq 50); do ss -Hlnt | grep -q :2379 && break; sleep 0.1; done',
      )
      expect(await refused('h1')).toMatchObject({ code: 'port-taken', data: { process: 'etcd' } })
      await inside('h1', 'kill $(pidof etcd); while pidof etcd; do sleep 0.1; done')
    })

    it('an address that the host does not have', async () => {
      const { mgmt } = hostOf('h1').addresses
      expect(await refused('h1', { addresses: { mgmt, storage: '192.0.2.1' } })).toMatchObject({
        code: 'bad-input',
        message: expect.stringContaining('192.0.2.1') as string,
      })
    })

    it('and leaves no trace on any of them', async () => {
      await nothingOn('h1')
      await nothingOn('h2')
      expect(services.contexts.list()).toEqual([])
    })
  })

  it('takes back what it made when it is interrupted with Ctrl-C', async () => {
    const adding = start([...withKey('h1', ...founding, lab.clusterIp), '--json'])
    await vi.waitFor(() => expect(adding.said()).toContain('upload'), { timeout: 60_000, interval: 20 })
    adding.child.kill('SIGINT')
    const { code, stdout } = await adding.ended
    expect(code).toBe(1)
    expect(taskSchema.parse(JSON.parse(stdout))).toMatchObject({ state: 'cancelled' })
    await nothingOn('h1')
  })

  it('goes on after this program was killed in the middle, and clears a half-installed agent', async () => {
    await inside(
      'h1',
      'mkdir -p /opt/holdfast/versions/.9.9.9.partial /etc/holdfast && echo "{" > /etc/holdfast/agent.json && cp /usr/bin/sleep /opt/holdfast/sleep && setsid /opt/holdfast/sleep 1000 >/dev/null 2>&1 </dev/null &',
    )
    const adding = start(withKey('h1', ...founding, lab.clusterIp))
    await vi.waitFor(() => expect(adding.said()).toMatch(/unpack|found-cluster/), { timeout: 60_000, interval: 20 })
    adding.child.kill('SIGKILL')
    await adding.ended
    const tasks = taskSchema.array().parse(await json('tasks', 'list'))
    const cut = tasks.find((task) => task.state === 'interrupted')
    expect(cut?.steps.find((step) => step.name === 'leftovers')?.detail).toContain('half-installed')
    const resumed = taskSchema.parse(await json('tasks', 'resume', cut!.id))
    expect(resumed.state).toBe('done')
    expect((await inside('h1', 'ls /opt/holdfast/sleep /etc/holdfast/installing; pgrep -f "[s]leep 1000"')).stdout).toBe('')
    const status = statusSchema.parse(await json('status'))
    expect(status).toMatchObject({ cluster: { name: 'first', clusterIp: lab.clusterIp.split('/')[0] }, hosts: [{ name: 'h1', state: 'up' }] })
  })

  it('takes the second and third host in at once, and refuses a name that is taken', async () => {
    const both = await Promise.all([holdfast(...withKey('h2'), '--json'), holdfast(...withKey('h3'), '--json')])
    for (const { code, stderr } of both) expect(code, stderr).toBe(0)
    await untilStatus((status) => status.hosts.length === 3 && status.hosts.every((host) => host.state === 'up') && status.cluster.quorum)
    const taken = await holdfast(
      ...addArgs('h2', '--key', lab.sshKeyPath).map((arg) => (arg === hostOf('h2').addresses.mgmt ? hostOf('h3').addresses.mgmt : arg)),
      '--json',
    )
    expect(taken.code).toBe(1)
    expect(errorDocSchema.parse(JSON.parse(taken.stdout))).toMatchObject({ code: 'already-exists' })
    // A member that is added again is only made known.
    const again = taskSchema.parse(await json(...withKey('h2')))
    expect(again.steps.filter((step) => step.state === 'skipped').map((step) => step.name)).toEqual(
      expect.arrayContaining(['upload', 'unpack', 'join-cluster']),
    )
  })

  it('keeps no secret on this laptop but in the vault, and the log of changes is sound', async () => {
    expect(await json('audit', 'verify')).toMatchObject({ sound: true })
    const password = readFileSync(lab.rootPasswordPath, 'utf8').trim()
    const files = readdirSync(home, { recursive: true, withFileTypes: true }).filter((file) => file.isFile())
    for (const file of files) {
      const text = readFileSync(join(file.parentPath, file.name), 'latin1')
      expect(text.includes('PRIVATE KEY') || text.includes(password), file.name).toBe(false)
    }
  })

  describe('upgrades module by module', () => {
    const versions = async (host: string) => {
      const { items } = listingSchema.parse(await json('inventory', 'list', 'modules'))
      return Object.fromEntries(items.filter((item) => item['host'] === host).map((item) => [item['name'], item['version']]))
    }
    /** The inventory follows within seconds, not at once. */
    const untilVersions = async (host: string, wanted: Record<string, unknown>) => {
      await vi.waitFor(async () => expect(await versions(host)).toMatchObject(wanted), { timeout: 40_000, interval: 500 })
    }
    /** As `host upgrade`, with a package that the command line would not make. */
    async function upgrade(host: string, options: PackOptions): Promise<{ task: Task; version: string }> {
      await using services = await createServices({ home })
      await services.vault.unlock('correct horse battery')
      const agent = await packAgent(options)
      const { id } = await services.hosts.upgrade('first', { name: host }, agent)
      return { task: await services.tasks.finished(id), version: agent.version }
    }

    it('to a good version', async () => {
      const before = await versions('h2')
      const { task, version } = await upgrade('h2', { label: 'next' })
      expect(task.error).toBeUndefined()
      expect(task.state).toBe('done')
      expect(before['cluster']).not.toBe(version)
      await untilVersions('h2', { cluster: version, monitor: version, supervisor: version })
      expect((await inside('h2', 'ls /opt/holdfast/versions | wc -l; basename $(readlink /opt/holdfast/current)')).stdout.trim()).toBe(
        `2\n${version}`,
      )
    })

    it('and stops at a module that does not come up, which goes on in its old version', async () => {
      const before = await versions('h2')
      const { task, version } = await upgrade('h2', { label: 'bad', broken: { module: 'monitor', how: 'crash' } })
      expect(task).toMatchObject({ state: 'failed', error: { code: 'upgrade-rolled-back' } })
      await untilVersions('h2', { cluster: version, monitor: before['monitor'], supervisor: before['supervisor'] })
      await untilStatus((status) => status.hosts.every((host) => host.state === 'up' && host.agent.modules['monitor'] === 'running'))
    })
  })

  describe('removes', () => {
    it('a host, which leaves nothing on it and can come back', async () => {
      expect(await holdfast('host', 'remove', 'h3')).toMatchObject({ code: 0 })
      await nothingOn('h3')
      await untilStatus((status) => status.hosts.length === 2)
      expect(await holdfast(...withKey('h3'))).toMatchObject({ code: 0 })
      await untilStatus((status) => status.hosts.length === 3 && status.hosts.every((host) => host.state === 'up'))
    })

    it('a dead host from the cluster alone', async () => {
      await labFault({ name, host: 'h3', fault: 'power-off' })
      const task = taskSchema.parse(await json('host', 'remove', 'h3'))
      expect(task.state).toBe('done')
      expect(task.steps.find((step) => step.name === 'remove-agent')).toMatchObject({
        state: 'skipped',
        detail: expect.stringContaining('its files stay') as string,
      })
      await untilStatus((status) => status.hosts.length === 2)
    })
  })

  it('answers status in time with every host gone, and reads on from the inventory', async () => {
    await labDown({ name })
    const before = performance.now()
    const status = statusSchema.parse(await json('status'))
    expect(performance.now() - before).toBeLessThan(10_000)
    expect(status.hosts.map((host) => host.state)).toEqual(['unknown', 'unknown'])
    expect(status.cluster).toMatchObject({ leader: null, quorum: false })
    const hosts = listingSchema.parse(await json('inventory', 'list', 'hosts', '--offline'))
    expect(hosts.items.map((item) => item['name'])).toEqual(['h1', 'h2'])
  })

  async function untilStatus(wanted: (status: ReturnType<typeof statusSchema.parse>) => boolean): Promise<void> {
    const look = async () => {
      const status = statusSchema.parse(await json('status'))
      expect(wanted(status), JSON.stringify(status)).toBe(true)
    }
    await vi.waitFor(look, { timeout: 60_000, interval: 500 })
  }
})
