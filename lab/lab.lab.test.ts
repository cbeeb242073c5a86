import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readlinkSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import ssh2 from 'ssh2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Plane } from '../core/model/common.ts'
import { addPhysical, addPlain, labCapture, labDescription, labDown, labExec, labFault, labStatus, labUp, type LabDescription } from './lab.ts'
import { until } from './machine.ts'
import { planLab } from './plan.ts'
import { capture, type RunResult } from './run.ts'
import { labDir, machineDir, readState } from './state.ts'

const name = `t${process.pid}`
const other = `${name}b`
let lab: LabDescription

beforeAll(async () => {
  // A host's own accounts must find their way about whatever the umask of the person who ran `lab up`.
  process.umask(0o077)
  lab = await labUp({ name, hosts: 3 })
})

afterAll(async () => {
  await labDown({ name })
  await labDown({ name: other })
})

/** Runs a program inside a host of the lab. */
async function inside(host: string, argv: string[], input?: string): Promise<RunResult> {
  return labCapture({ name, host, argv, ...(input === undefined ? {} : { input }) })
}

function address(host: string, plane: Plane): string {
  return lab.hosts.find((one) => one.name === host)!.addresses[plane]
}

/** Whether one ping from a host is answered within a second. */
async function pings(from: string, to: string): Promise<boolean> {
  return (await inside(from, ['ping', '-c', '1', '-W', '1', to])).code === 0
}

/** What of the machine belongs to a lab: mounts, loop devices, links, processes, network namespaces. */
async function tracesOf(labName: string, slot: number): Promise<string[]> {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(`${labDir(labName)} `))
  const loops = (await capture(['losetup', '--list', '--noheadings', '--output', 'BACK-FILE'])).stdout
    .split('\n')
    .filter((file) => file.startsWith(`${labDir(labName)}/`))
  const links = readdirSync('/sys/class/net').filter((link) => link === planLab(slot, 1).laptop.nic)
  const processes = readdirSync('/proc').flatMap((pid) => {
    try {
      const inLab = /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(`/holdfast-lab/${labName}/`)
      return inLab ? [readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ').slice(0, 4).join(' ')] : []
    } catch {
      return []
    }
  })
  return [...mounts, ...loops, ...links, ...processes, ...(existsSync(labDir(labName)) ? [labDir(labName)] : [])]
}

/** The machine's own mounts, links and loop devices: those of no lab. */
async function machineItself(): Promise<string[]> {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => !line.includes('/run/holdfast-lab/'))
  const loops = (await capture(['losetup', '--list', '--noheadings', '--output', 'NAME,BACK-FILE'])).stdout
    .split('\n')
    .filter((line) => !line.includes('/run/holdfast-lab/'))
  return [...mounts, ...loops, ...readdirSync('/sys/class/net').filter((link) => !link.startsWith('hflab'))]
}

function networkNamespaces(): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    try {
      return /^\d+$/.test(pid) ? [readlinkSync(`/proc/${pid}/ns/net`)] : []
    } catch {
      return []
    }
  })
}

interface SshAttempt {
  stdout: string
  hostKeySha256: string
}

/** Logs in over SSH as on any host and runs one command. */
function ssh(options: { host: string; command: string; password?: string }): Promise<SshAttempt> {
  const { host, command, password } = options
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client()
    let hostKeySha256 = ''
    client.on('error', reject)
    client.on('ready', () =>
      client.exec(command, (error, channel) => {
        if (error) return reject(error)
        let stdout = ''
        channel.on('data', (data: Buffer) => (stdout += data.toString()))
        channel.stderr.resume()
        channel.on('close', () => {
          client.end()
          resolve({ stdout, hostKeySha256 })
        })
      }),
    )
    client.connect({
      host: address(host, 'mgmt'),
      username: 'root',
      hostVerifier: (key: Buffer) => {
        hostKeySha256 = createHash('sha256').update(key).digest('base64').replace(/=+$/, '')
        return true
      },
      ...(password === undefined ? { privateKey: readFileSync(lab.sshKeyPath) } : { password }),
    })
  })
}

/** LLDP neighbours of a host by NIC, as `SWITCH PORT`. */
async function neighbours(host: string): Promise<Record<string, string>> {
  const { stdout } = await inside(host, ['lldpcli', '-f', 'json0', 'show', 'neighbors'])
  interface Named {
    name: string
    chassis: { name: { value: string }[] }[]
    port: { id: { value: string }[] }[]
  }
  const lldp = (JSON.parse(stdout) as { lldp: { interface?: Named[] }[] }).lldp[0]
  return Object.fromEntries((lldp?.interface ?? []).map((one) => [one.name, `${one.chassis[0]?.name[0]?.value} ${one.port[0]?.id[0]?.value}`]))
}

describe('a lab', () => {
  it('is described, and up a second time at once', async () => {
    const steps: string[] = []
    expect(await labUp({ name, onStep: (line) => steps.push(line) })).toEqual(lab)
    expect(steps).toEqual([`Lab ${name} is up already`])
    expect(await labDescription({ name })).toEqual(lab)
    await expect(labUp({ name, hosts: 2 })).rejects.toMatchObject({ code: 'already-exists' })
    await expect(labUp({ name, hosts: 8 })).rejects.toMatchObject({ code: 'bad-input' })
    await expect(labUp({ name: '../x' })).rejects.toMatchObject({ code: 'bad-input' })
    await expect(labDescription({ name: other })).rejects.toMatchObject({ code: 'not-found' })
  })

  it('passes stdin, stdout, stderr and the exit status of a program through', async () => {
    expect(await inside('h2', ['sh', '-c', 'cat; echo bad >&2; exit 7'], 'a "b" $c\n')).toEqual({ code: 7, stdout: 'a "b" $c\n', stderr: 'bad\n' })
    expect((await inside('h2', ['no-such-program'])).code).toBe(127)
    expect((await inside('h2', ['sh', '-c', 'kill -9 $$'])).code).toBe(137)
    expect(await labExec({ name, host: 'h1', argv: ['true'], stdio: 'ignore' })).toBe(0)
    await expect(labExec({ name, host: 'h9', argv: ['true'] })).rejects.toMatchObject({ code: 'not-found' })
  })

  it('has hosts of their own, which see nothing of the machine’s files and processes', async () => {
    expect((await inside('h3', ['hostname'])).stdout).toBe('h3\n')
    expect((await inside('h3', ['readlink', '/proc/1/exe'])).stdout).toBe('/usr/bin/tini\n')
    expect((await inside('h3', ['ls', import.meta.dirname])).code).not.toBe(0)
    expect((await inside('h3', ['ls', '-A', '/root', '/home', '/tmp'])).stdout.split('\n').filter(Boolean)).toEqual([
      '/home:',
      '/root:',
      '.ssh',
      '/tmp:',
    ])
    expect((await inside('h3', ['cat', '/etc/shadow'])).stdout).not.toContain(readFileSync('/etc/hostname', 'utf8').trim())
    expect((await inside('h3', ['su', '-s', '/bin/sh', '-c', 'id -un; cat /etc/hostname', 'nobody'])).stdout).toBe('nobody\nh3\n')
    const machineIds = await Promise.all(['h1', 'h2'].map(async (host) => (await inside(host, ['cat', '/etc/machine-id'])).stdout))
    expect(new Set([...machineIds, existsSync('/etc/machine-id') ? readFileSync('/etc/machine-id', 'utf8') : '']).size).toBe(3)
    for (const disk of ['vdb', 'vdc']) {
      expect((await inside('h3', ['blockdev', '--getsize64', `/dev/${disk}`])).stdout).toBe(`${10 * 2 ** 30}\n`)
      expect((await inside('h3', ['cat', `/sys/block/${disk}/size`])).stdout).toBe(`${(10 * 2 ** 30) / 512}\n`)
    }
    expect((await inside('h3', ['ls', '/sys/block'])).stdout).toBe('vdb\nvdc\n')
    expect((await inside('h3', ['dpkg-query', '--show', '--showformat=${Package} ${Status}', 'etcd-server'])).stdout).toBe(
      'etcd-server install ok installed',
    )
  })

  it('is reached over SSH by its key or its password, and by no other', async () => {
    const byKey = await ssh({ host: 'h1', command: 'hostname' })
    expect(byKey.stdout).toBe('h1\n')
    expect(`SHA256:${byKey.hostKeySha256}`).toBe(lab.hosts[0]!.hostKeyFingerprint)
    expect(new Set(lab.hosts.map((host) => host.hostKeyFingerprint)).size).toBe(3)
    const password = (await readFile(lab.rootPasswordPath, 'utf8')).trim()
    expect((await ssh({ host: 'h2', command: 'hostname', password })).stdout).toBe('h2\n')
    await expect(ssh({ host: 'h2', command: 'hostname', password: `${password}x` })).rejects.toThrow(/authentication/)
  })

  it('joins its hosts on every plane, with large frames on storage and tenant', async () => {
    for (const [from, to] of [
      ['h1', 'h2'],
      ['h2', 'h3'],
      ['h3', 'h1'],
    ] as const) {
      expect(await pings(from, address(to, 'mgmt'))).toBe(true)
      for (const plane of ['storage', 'tenant'] as const) {
        expect((await inside(from, ['ping', '-c', '1', '-W', '1', '-M', 'do', '-s', '8972', address(to, plane)])).code).toBe(0)
      }
    }
  })

  it('shows its switches by LLDP and SNMP', async () => {
    await until(async () => Object.keys(await neighbours('h1')).length === 3, 20_000, 'LLDP neighbours of h1')
    expect(await neighbours('h1')).toEqual({ mgmt: 'tor1 swp1', storage: 'tor2 swp1', tenant: 'tor1 swp8' })
    const { tor1, tor2 } = planLab((await readState(name))!.slot, 3).switches
    for (const [one, ports] of [
      [tor1, 3 + 2],
      [tor2, 3 + 1],
    ] as const) {
      expect(await walk(one.address, '1.3.6.1.2.1.1.5')).toEqual([one.name])
      expect((await walk(one.address, '1.3.6.1.2.1.2.2.1.2')).filter((port) => /^swp([1-9]|1[0-4])$/.test(port))).toHaveLength(ports)
    }
    // LLDP-MIB: what a switch hears; BRIDGE-MIB: where it learned an address.
    await until(async () => (await walk(tor1.address, '1.0.8802.1.1.2.1.4.1.1.9')).length === 3 + 2 + 3, 20_000, 'LLDP neighbours of tor1')
    expect(new Set(await walk(tor1.address, '1.0.8802.1.1.2.1.4.1.1.9'))).toEqual(new Set(['h1', 'h2', 'h3', 'tor2']))
    await pings('h2', address('h3', 'mgmt'))
    const learned = planLab((await readState(name))!.slot, 3).hosts[1]!.nics.mgmt
    const oid = learned.mac
      .split(':')
      .map((octet) => parseInt(octet, 16))
      .join('.')
    expect(await walk(tor1.address, `1.3.6.1.2.1.17.4.3.1.2.${oid}`)).toEqual(['2'])
    const [index] = await walk(tor1.address, '1.3.6.1.2.1.17.1.4.1.2.2')
    expect(await walk(tor1.address, `1.3.6.1.2.1.2.2.1.2.${index}`)).toEqual(['swp2'])
  })
})

/** Values below an object of a switch, asked by SNMP from h1. */
async function walk(agent: string, oid: string): Promise<string[]> {
  const { stdout } = await inside('h1', ['snmpwalk', '-v2c', '-c', 'public', '-Oqv', agent, oid])
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => line.replaceAll('"', ''))
}

describe('faults', () => {
  it('cut and mend one link', async () => {
    const carrier = async (): Promise<string> => (await inside('h2', ['cat', '/sys/class/net/storage/carrier'])).stdout.trim()
    await labFault({ name, host: 'h2', fault: 'link-down', plane: 'storage' })
    expect(await carrier()).toBe('0')
    expect(await pings('h1', address('h2', 'storage'))).toBe(false)
    expect(await pings('h1', address('h2', 'mgmt'))).toBe(true)
    expect((await labStatus({ name })).hosts[1]).toEqual({ name: 'h2', power: 'on', downPlanes: ['storage'] })
    await labFault({ name, host: 'h2', fault: 'link-up', plane: 'storage' })
    expect(await carrier()).toBe('1')
    expect(await pings('h1', address('h2', 'storage'))).toBe(true)
    await expect(labFault({ name, host: 'h2', fault: 'link-down', plane: 'moon' as Plane })).rejects.toMatchObject({ code: 'bad-input' })
    await expect(labFault({ name, host: 'h2', fault: 'link-down' })).rejects.toMatchObject({ code: 'bad-input' })
  })

  it('power-off ends everything that a host forwards, even by a pinned program, and its disks come back', async () => {
    const progId = await pinReflector('h2')
    expect(await reflections('h1')).toBeGreaterThan(0)
    await inside('h2', [
      'sh',
      '-c',
      'echo kept >/etc/kept; echo gone >/run/gone; echo block | dd of=/dev/vdb conv=notrunc 2>/dev/null; date >/usr/local/mark',
    ])

    await labFault({ name, host: 'h2', fault: 'power-off' })
    expect(await reflections('h1')).toBe(0)
    expect(await isProgramLoaded('h1', progId)).toBe(false)
    expect(await pings('h1', address('h2', 'mgmt'))).toBe(false)
    expect((await labStatus({ name })).hosts[1]?.power).toBe('off')
    for (const fault of ['power-off', 'pause', 'resume', 'hang-agent'] as const) {
      await expect(labFault({ name, host: 'h2', fault })).rejects.toMatchObject({ code: 'bad-input' })
    }
    await expect(labExec({ name, host: 'h2', argv: ['true'] })).rejects.toMatchObject({ code: 'busy' })

    await labFault({ name, host: 'h2', fault: 'power-on' })
    expect((await inside('h2', ['cat', '/etc/kept'])).stdout).toBe('kept\n')
    expect((await inside('h2', ['test', '-e', '/run/gone'])).code).toBe(1)
    expect((await inside('h2', ['test', '-e', '/usr/local/mark'])).code).toBe(0)
    expect((await inside('h2', ['head', '-c', '5', '/dev/vdb'])).stdout).toBe('block')
    expect(`SHA256:${(await ssh({ host: 'h2', command: 'true' })).hostKeySha256}`).toBe(lab.hosts[1]!.hostKeyFingerprint)
    for (const plane of ['mgmt', 'storage', 'tenant'] as const) expect(await pings('h1', address('h2', plane))).toBe(true)
    expect(await reflections('h1')).toBe(0)
    await until(async () => Object.keys(await neighbours('h2')).length === 3, 20_000, 'LLDP neighbours of h2')
    expect(await neighbours('h2')).toEqual({ mgmt: 'tor1 swp2', storage: 'tor2 swp2', tenant: 'tor2 swp9' })
    await expect(labFault({ name, host: 'h2', fault: 'power-on' })).rejects.toMatchObject({ code: 'bad-input' })
  })

  it('keep a link cut over a power cycle, and start what is installed at boot', async () => {
    const script = '#!/bin/sh\necho "$1" >/run/started\n'
    await inside('h3', ['sh', '-c', 'cat >/etc/init.d/probe; chmod 755 /etc/init.d/probe; ln -s ../init.d/probe /etc/rc2.d/S20probe'], script)
    await labFault({ name, host: 'h3', fault: 'link-down', plane: 'tenant' })
    await labFault({ name, host: 'h3', fault: 'power-off' })
    await labFault({ name, host: 'h3', fault: 'power-on' })
    await until(async () => (await inside('h3', ['cat', '/run/started'])).stdout === 'start\n', 10_000, 'the installed script to run')
    expect(await pings('h1', address('h3', 'tenant'))).toBe(false)
    await labFault({ name, host: 'h3', fault: 'link-up', plane: 'tenant' })
    expect(await pings('h1', address('h3', 'tenant'))).toBe(true)
  })

  it('pause stops every process and cuts the NICs; resume goes on where it was', async () => {
    const beats = async (): Promise<number> => (await readFile(join(machineDir(name, 'h3'), 'root/upper/var/beats'), 'utf8')).length
    await inside('h3', ['sh', '-c', 'setsid sh -c "while sleep 0.02; do printf x >>/var/beats; done" >/dev/null 2>&1 </dev/null &'])
    await until(async () => (await beats().catch(() => 0)) > 2, 10_000, 'the beats')
    await labFault({ name, host: 'h3', fault: 'pause' })
    const frozen = await beats()
    expect(await pings('h1', address('h3', 'mgmt'))).toBe(false)
    expect(await beats()).toBe(frozen)
    await expect(labFault({ name, host: 'h3', fault: 'pause' })).rejects.toMatchObject({ code: 'bad-input' })
    await expect(labExec({ name, host: 'h3', argv: ['true'] })).rejects.toMatchObject({ code: 'busy' })
    await labFault({ name, host: 'h3', fault: 'resume' })
    await until(async () => (await beats()) > frozen, 10_000, 'the beats to go on')
    expect(await pings('h1', address('h3', 'mgmt'))).toBe(true)
    await labFault({ name, host: 'h3', fault: 'pause' })
    await labFault({ name, host: 'h3', fault: 'power-off' })
    await labFault({ name, host: 'h3', fault: 'power-on' })
  })

  it('hang-agent stops the agent’s processes and no other', async () => {
    await expect(labFault({ name, host: 'h1', fault: 'hang-agent' })).rejects.toMatchObject({ code: 'not-found' })
    await inside('h1', [
      'sh',
      '-c',
      'mkdir -p /opt/holdfast/versions/1/bin; cp /usr/bin/sleep /opt/holdfast/versions/1/bin/node; cp /usr/bin/sleep /opt/etcd',
    ])
    await inside('h1', [
      'sh',
      '-c',
      '(/opt/holdfast/versions/1/bin/node 300 & echo $! >/run/agent; /opt/etcd 300 & echo $! >/run/etcd) >/dev/null 2>&1 </dev/null',
    ])
    const states = async (): Promise<string> =>
      (await inside('h1', ['sh', '-c', 'ps -o state= -p $(cat /run/agent); ps -o state= -p $(cat /run/etcd)'])).stdout.replaceAll('\n', '')
    expect(await states()).toBe('SS')
    await labFault({ name, host: 'h1', fault: 'hang-agent' })
    expect(await states()).toBe('TS')
    await labFault({ name, host: 'h1', fault: 'resume' })
    expect(await states()).toBe('SS')
    await expect(labFault({ name, host: 'h1', fault: 'resume' })).rejects.toMatchObject({ code: 'bad-input' })
  })

  it('clock sets a host’s wall clock off, its monotonic clock not', async () => {
    const offset = async (): Promise<number> => Math.round(Number((await ssh({ host: 'h1', command: 'date +%s' })).stdout) - Date.now() / 1000)
    const uptime = ['perl', '-MTime::HiRes=clock_gettime', '-e', 'print int clock_gettime(1)']
    await labFault({ name, host: 'h1', fault: 'clock', offsetSeconds: 600 })
    expect(Math.abs((await offset()) - 600)).toBeLessThan(5)
    expect(Math.abs(Number((await inside('h1', uptime)).stdout) - Number((await inside('h2', uptime)).stdout))).toBeLessThan(5)
    await labFault({ name, host: 'h1', fault: 'clock', offsetSeconds: 0 })
    expect(Math.abs(await offset())).toBeLessThan(5)
  })

  it('a host that ends by itself is off, and booted by the next lab up', async () => {
    await inside('h2', ['sh', '-c', 'kill -9 -1']) // all but process 1, which then ends with its only child
    await until(async () => (await labStatus({ name })).hosts[1]?.power === 'off', 10_000, 'h2 to be off')
    await labUp({ name })
    expect((await labStatus({ name })).hosts[1]?.power).toBe('on')
    expect(await pings('h1', address('h2', 'tenant'))).toBe(true)
  })
})

describe('labs side by side', () => {
  it('do not meet, and going down one leaves the other and the machine as they were', async () => {
    const before = await machineItself()
    const second = await labUp({ name: other, hosts: 1 })
    await addPhysical({ name: other, machine: 'server', switchName: 'tor2', vlan: 100 })
    await addPlain({ name: other, machine: 'plain', switchName: 'tor1' })
    const slot = (await readState(other))!.slot
    const stranger = second.hosts[0]!.addresses
    expect(stranger.mgmt).not.toBe(address('h1', 'mgmt'))
    expect((await labCapture({ name: other, host: 'h1', argv: ['ping', '-c', '1', '-W', '1', '127.0.0.1'] })).code).toBe(0)
    for (const plane of ['mgmt', 'storage', 'tenant'] as const) {
      // Even with a route into the plane, nobody of the other lab answers there.
      expect((await inside('h1', ['ip', 'route', 'add', `${stranger[plane]}/32`, 'dev', plane])).code).toBe(0)
      expect(await pings('h1', stranger[plane])).toBe(false)
    }
    const init = (await readState(other))!.hosts['h1']!.init!
    const namespace = readlinkSync(`/proc/${init.pid}/ns/net`)
    expect(networkNamespaces()).toContain(namespace)
    expect(await tracesOf(other, slot)).not.toEqual([])

    await labDown({ name: other })
    expect(await tracesOf(other, slot)).toEqual([])
    expect(networkNamespaces()).not.toContain(namespace)
    expect((await labStatus({ name: other })).state).toBe('down')
    expect(await machineItself()).toEqual(before)
    expect(await pings('h1', address('h3', 'mgmt'))).toBe(true)
    await labDown({ name: other })
  })

  it.each(['before it is wired', 'when it is up'])('leftovers of a lab killed %s are removed, nothing else is', async (when) => {
    const script = `import { labUp } from ${JSON.stringify(join(import.meta.dirname, 'lab.ts'))}; await labUp({ name: '${other}', hosts: 2 })`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' })
    const ended = new Promise((resolve) => child.once('exit', resolve))
    if (when === 'when it is up') {
      await ended
      // The switches end as in a crash; the hosts live on without them.
      const { switches } = (await readState(other))!
      for (const ref of Object.values(switches)) process.kill(ref!.pid, 'SIGKILL')
    } else {
      await until(async () => existsSync(join(labDir(other), 'machines/h1/console.log')), 20_000, 'the boot to begin')
      child.kill('SIGKILL')
      await ended
    }
    await until(async () => (await labStatus({ name: other })).state === 'broken', 5000, 'the lab to be broken')
    const before = await machineItself()
    const steps: string[] = []
    const healed = await labUp({ name: other, hosts: 1, onStep: (line) => steps.push(line) })
    expect(steps).toContain(`Removed what was left of a killed lab ${other}`)
    expect((await labCapture({ name: other, host: 'h1', argv: ['hostname'] })).stdout).toBe('h1\n')
    expect(healed.hosts).toHaveLength(1)
    const slot = (await readState(other))!.slot
    await labDown({ name: other })
    expect(await tracesOf(other, slot)).toEqual([])
    expect(await machineItself()).toEqual(before)
    expect(await pings('h1', address('h3', 'storage'))).toBe(true)
  })
})

/** Loads into a host, by bpf(2) from perl-base, a program that sends every frame of ethertype 0x88b5 back out of the tenant NIC; pins it, attaches the pin, answers its id. */
async function pinReflector(host: string): Promise<number> {
  const script = `
    my $insns = pack('CCsl' x 8,
      0x61, 0x12, 16, 0,        # r2 = ctx->protocol
      0x55, 0x02, 4, 0xb588,    # if r2 != htons(0x88b5) goto pass
      0x61, 0x11, 40, 0,        # r1 = ctx->ifindex
      0xb7, 0x02, 0, 0,         # r2 = 0
      0x85, 0x00, 0, 23,        # call bpf_redirect
      0x95, 0x00, 0, 0,         # exit
      0xb7, 0x00, 0, 0,         # pass: r0 = TC_ACT_OK
      0x95, 0x00, 0, 0);
    my ($license, $path) = ("GPL\\0", "/sys/fs/bpf/reflect\\0");
    my $load = pack('LLPPLLQLL', 3, 8, $insns, $license, 0, 0, 0, 0, 0);
    my $fd = syscall(321, 5, $load, length $load);
    die "load: $!" if $fd < 0;
    my $pin = pack('PLL', $path, $fd, 0);
    die "pin: $!" if syscall(321, 6, $pin, length $pin) < 0;`
  expect(await inside(host, ['perl', '-'], script)).toMatchObject({ code: 0, stderr: '' })
  for (const args of [
    ['qdisc', 'add', 'dev', 'tenant', 'clsact'],
    ['filter', 'add', 'dev', 'tenant', 'ingress', 'bpf', 'direct-action', 'object-pinned', '/sys/fs/bpf/reflect'],
  ]) {
    expect(await inside(host, ['tc', ...args])).toMatchObject({ code: 0 })
  }
  const { stdout } = await inside(host, ['tc', 'filter', 'show', 'dev', 'tenant', 'ingress'])
  return Number(/ id (\d+)/.exec(stdout)?.[1])
}

/** Broadcasts ten frames of ethertype 0x88b5 on tenant and counts those that come back within half a second. */
async function reflections(host: string): Promise<number> {
  const script = `
    socket(my $s, 17, 3, unpack('S', pack('n', 0x88b5))) or die "socket: $!";
    open my $f, '<', '/sys/class/net/tenant/ifindex' or die; chomp(my $index = <$f>);
    my $where = pack('SnlSCCa8', 17, 0x88b5, $index, 0, 0, 6, "\\xff" x 6);
    bind($s, $where) or die "bind: $!";
    my $frame = ("\\xff" x 6) . pack('C6', 2, 0x83, 0xff, 0, 0, 1) . pack('n', 0x88b5) . ('x' x 46);
    send($s, $frame, 0, $where) or die "send: $!" for 1 .. 10;
    my $count = 0;
    for (;;) {
      my $ready = ''; vec($ready, fileno $s, 1) = 1;
      last unless select($ready, undef, undef, 0.5);
      recv($s, my $got, 2000, 0); $count++;
    }
    print $count;`
  const result = await inside(host, ['perl', '-'], script)
  expect(result).toMatchObject({ code: 0, stderr: '' })
  return Number(result.stdout)
}

/** Whether the kernel still knows the program of that id (BPF_PROG_GET_FD_BY_ID). */
async function isProgramLoaded(host: string, id: number): Promise<boolean> {
  const script = `my $a = pack('LLL', ${id}, 0, 0); print syscall(321, 13, $a, length $a) >= 0 ? 'loaded' : $!{ENOENT} ? 'gone' : "error $!";`
  const { stdout } = await inside(host, ['perl', '-'], script)
  expect(stdout).toMatch(/^(loaded|gone)$/)
  return stdout === 'loaded'
}
