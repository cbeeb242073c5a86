import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  addPhysical,
  addPlain,
  labCapture,
  labDown,
  labExec,
  labFault,
  labStatus,
  labUp,
  removeAdded,
  type LabAdded,
  type LabDescription,
} from './lab.ts'
import { holdsAddress, signalKeepalived, startKeepalived, type Keepalived, type VirtualRouter } from './keepalived.ts'
import { until } from './machine.ts'
import { planLab } from './plan.ts'
import { readState } from './state.ts'

const name = `added-${process.pid}`
const patienceMs = 30_000
let lab: LabDescription
let phys1: LabAdded
let phys2: LabAdded

beforeAll(async () => {
  lab = await labUp({ name, hosts: 2 })
  phys1 = await addPhysical({ name, machine: 'phys-1', switchName: 'tor1', vlan: 100, address: '10.20.1.31/24' })
  phys2 = await addPhysical({ name, machine: 'phys-2', switchName: 'tor2', vlan: 100, address: '10.20.1.32/24' })
})

afterAll(() => labDown({ name }))

async function inside(host: string, ...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await labCapture({ name, host, argv })
  expect(code, `${host}: ${argv.join(' ')}: ${stderr}`).toBe(0)
  return stdout
}

/** Whether one ping is answered within a second. */
async function pings(from: string, to: string): Promise<boolean> {
  return (await labCapture({ name, host: from, argv: ['ping', '-c', '1', '-W', '1', to] })).code === 0
}

const pinged = (from: string, to: string) => until(() => pings(from, to), patienceMs, `${from} to reach ${to}`)

/** Broadcasts an ARP request for an address out of a host's NIC `tenant`, in a VLAN, and answers the MAC and the tag of the reply; null where none comes in time. */
async function arpWithTag(host: string, vlan: number, ip: string, waitSeconds = 20): Promise<{ mac: string; vlan: number } | null> {
  const program = `
import socket, struct, sys, time
own, asked = bytes.fromhex('028300fe0001'), socket.inet_aton(sys.argv[2])
nic = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
nic.bind(('tenant', 0))
nic.setsockopt(263, 8, 1) # SOL_PACKET, PACKET_AUXDATA: the kernel takes the tag out of the frame
nic.settimeout(0.1)
nic.send(b'\\xff' * 6 + own + struct.pack('!HHHHHBBH', 0x8100, int(sys.argv[1]), 0x0806, 1, 0x0800, 6, 4, 1) + own + bytes(4) + bytes(6) + asked + bytes(18))
end = time.monotonic() + float(sys.argv[3])
while time.monotonic() < end:
    try:
        frame, extra, _, _ = nic.recvmsg(2000, 100)
    except TimeoutError:
        continue
    status, _, _, _, _, tci, _ = struct.unpack('IIIHHHH', extra[0][2])
    if frame[12:14] == b'\\x08\\x06' and frame[20:22] == b'\\0\\2' and frame[28:32] == asked and frame[:6] == own:
        print(frame[22:28].hex(':'), tci & 0xfff if status & 0x10 else 0)
        break
`
  const [mac = '', tag = ''] = (await inside(host, 'python3', '-c', program, String(vlan), ip, String(waitSeconds))).trim().split(' ')
  return mac === '' ? null : { mac, vlan: Number(tag) }
}

/** One object of a switch by SNMP, asked from h1. */
async function snmp(agent: string, oid: string): Promise<string> {
  return (await inside('h1', 'snmpget', '-v2c', '-c', 'public', '-Oqv', agent, oid)).trim()
}

const suffixOf = (mac: string): string =>
  mac
    .split(':')
    .map((octet) => parseInt(octet, 16))
    .join('.')

describe('a physical server', () => {
  it('is a machine of its own, with one NIC, that status shows', async () => {
    expect(await inside('phys-1', 'hostname')).toBe('phys-1\n')
    expect((await inside('phys-1', 'ls', '/sys/class/net')).split('\n').filter(Boolean).sort()).toEqual(['eth0', 'lo'])
    expect(await inside('phys-1', 'cat', '/sys/class/net/eth0/address')).toBe(`${phys1.mac}\n`)
    expect(await inside('phys-1', 'cat', '/proc/1/comm')).toBe('tini\n')
    expect(phys1).toEqual({
      ...{ name: 'phys-1', switch: 'tor1', port: 'swp19', vlan: 100, address: '10.20.1.31/24', power: 'on', link: 'up' },
      mac: expect.stringMatching(/^02:83:..:04:01:01$/),
    })
    expect((await labStatus({ name })).added).toEqual([phys1, phys2])
  })

  it('reaches its VLAN over the trunk, not another VLAN nor the planes', async () => {
    // Each VLAN learns apart, or this one would draw frames for phys-1 to itself.
    await addPhysical({ name, machine: 'stranger', switchName: 'tor2', vlan: 200, address: '10.20.1.33/24', mac: phys1.mac })
    expect(await pings('stranger', '10.20.1.32')).toBe(false)
    await pinged('phys-2', '10.20.1.31')
    expect(await inside('stranger', 'cat', '/sys/class/net/eth0/address')).toBe(`${phys1.mac}\n`)
    const { tenant } = lab.hosts[0]!.addresses
    await inside('phys-1', 'ip', 'route', 'add', `${tenant}/32`, 'dev', 'eth0')
    expect(await pings('phys-1', tenant)).toBe(false)
    await pinged('h2', tenant)
  })

  it('is reached by a host with its VLAN’s tag alone, also after that host was off', async () => {
    const answer = { mac: phys1.mac, vlan: 100 }
    // h1 is on the same switch, h2 on the other.
    expect(await arpWithTag('h1', 100, '10.20.1.31')).toEqual(answer)
    expect(await arpWithTag('h2', 100, '10.20.1.31')).toEqual(answer)
    expect(await arpWithTag('h1', 200, '10.20.1.33')).toEqual({ ...answer, vlan: 200 })
    for (const vlan of [0, 200, 300]) expect(await arpWithTag('h1', vlan, '10.20.1.31', 0.5)).toBeNull()
    await labFault({ name, host: 'h1', fault: 'power-off' })
    await labFault({ name, host: 'h1', fault: 'power-on' })
    expect(await arpWithTag('h1', 100, '10.20.1.31')).toEqual(answer)
    expect(await arpWithTag('h1', 200, '10.20.1.31', 0.5)).toBeNull()
  })

  it('is known to its switch by SNMP, in its VLAN', async () => {
    await pinged('phys-2', '10.20.1.31')
    const { tor1, tor2 } = planLab((await readState(name))!.slot, 2).switches
    const qBridge = '1.3.6.1.2.1.17.7.1'
    expect(await snmp(tor1.address, `${qBridge}.4.5.1.1.19`)).toBe('100')
    expect(await snmp(tor1.address, `${qBridge}.4.5.1.1.8`)).toBe('1')
    expect(await snmp(tor1.address, `${qBridge}.4.2.1.3.0.100`)).toBe('100')
    expect(await snmp(tor1.address, `${qBridge}.2.2.1.2.100.${suffixOf(phys1.mac)}`)).toBe('19')
    expect(await snmp(tor2.address, `${qBridge}.2.2.1.2.100.${suffixOf(phys1.mac)}`)).toBe('17')
    expect(await snmp(tor1.address, `1.3.6.1.2.1.17.4.3.1.2.${suffixOf(phys1.mac)}`)).toContain('No Such')
  })

  it('takes the faults of a machine', async () => {
    const it = { name, host: 'phys-1' }
    await labFault({ ...it, fault: 'link-down' })
    expect((await labStatus({ name })).added[0]).toEqual({ ...phys1, link: 'down' })
    await labFault({ ...it, fault: 'power-off' })
    await expect(labExec({ ...it, argv: ['true'] })).rejects.toMatchObject({ code: 'busy' })
    expect((await labStatus({ name })).added[0]).toEqual({ ...phys1, link: 'down', power: 'off' })
    await labFault({ ...it, fault: 'power-on' })
    expect(await pings('phys-2', '10.20.1.31')).toBe(false)
    await labFault({ ...it, fault: 'link-up' })
    await pinged('phys-2', '10.20.1.31')
    await labFault({ ...it, fault: 'pause' })
    expect(await pings('phys-2', '10.20.1.31')).toBe(false)
    await labFault({ ...it, fault: 'resume' })
    await pinged('phys-2', '10.20.1.31')
    expect((await labStatus({ name })).added[0]).toEqual(phys1)
    for (const request of [{ fault: 'link-down', plane: 'tenant' }, { fault: 'power-on' }, { fault: 'clock', offsetSeconds: 60 }] as const) {
      await expect(labFault({ ...it, ...request })).rejects.toMatchObject({ code: 'bad-input' })
    }
  })

  it('that ended by itself is booted by the next lab up, which changes nothing else', async () => {
    await labCapture({ name, host: 'phys-2', argv: ['kill', '-9', '-1'] }) // all but process 1, which then ends with its only child
    await until(async () => (await labStatus({ name })).added[1]?.power === 'off', patienceMs, 'phys-2 to be off')
    const steps: string[] = []
    await labUp({ name, onStep: (line) => steps.push(line) })
    expect(steps).toEqual(['Booted phys-2, which had ended', `Lab ${name} is up already`])
    await pinged('phys-1', '10.20.1.32')
  })

  it('is refused with a reason, and gone when it is removed', async () => {
    const wanted = { name, machine: 'phys-3', switchName: 'tor1', vlan: 100 } as const
    const refused = (request: object) => expect(addPhysical({ ...wanted, ...request })).rejects
    for (const request of [{ vlan: 1 }, { vlan: 4095 }, { vlan: 1.5 }, { switchName: 'tor3' }, { machine: '../x' }, { address: '10.20.1.33' }]) {
      await refused(request).toMatchObject({ code: 'bad-input' })
    }
    for (const mac of ['02:00', '01:00:5e:00:00:01']) await refused({ mac }).toMatchObject({ code: 'bad-input' })
    for (const machine of ['h1', 'tor1', 'phys-1']) await refused({ machine }).toMatchObject({ code: 'already-exists' })
    await refused({ name: `${name}x` }).toMatchObject({ code: 'not-found' })
    await expect(removeAdded({ name, machine: 'stranger', kind: 'plain' })).rejects.toMatchObject({ code: 'not-found' })
    await removeAdded({ name, machine: 'stranger', kind: 'physical' })
    await expect(labExec({ name, host: 'stranger', argv: ['true'] })).rejects.toMatchObject({ code: 'not-found' })
    expect((await labStatus({ name })).added.map((one) => one.name)).toEqual(['phys-1', 'phys-2'])
    // Its number and port are free for another.
    expect(await addPhysical({ ...wanted, machine: 'later' })).toMatchObject({ port: 'swp21', address: null })
    await removeAdded({ name, machine: 'later', kind: 'physical' })
  })
})

describe('a plain host', () => {
  it('is on the tenant plane, with the kernel’s own VXLAN', async () => {
    const plain = await addPlain({ name, machine: 'legacy-1', switchName: 'tor2' })
    const local = plain.address!.split('/')[0]!
    const { tenant } = lab.hosts[0]!.addresses
    expect(plain).toMatchObject({ vlan: null, port: 'swp21', power: 'on', address: expect.stringMatching(/^10\.83\.\d+\.53\/24$/) })
    await pinged('legacy-1', tenant)
    for (const [host, own, other, address] of [
      ['legacy-1', local, tenant, '10.20.7.1/24'],
      ['h1', tenant, local, '10.20.7.2/24'],
    ] as const) {
      await inside(host, ...['ip', 'link', 'add', 'vx7', 'type', 'vxlan', 'id', '7', 'dstport', '4789', 'local', own, 'remote', other])
      await inside(host, 'ip', 'address', 'add', address, 'dev', 'vx7')
      await inside(host, 'ip', 'link', 'set', 'vx7', 'up')
    }
    await pinged('legacy-1', '10.20.7.2')
    await labFault({ name, host: 'legacy-1', fault: 'power-off' })
    expect(await pings('h1', local)).toBe(false)
    await labFault({ name, host: 'legacy-1', fault: 'power-on' })
    await pinged('h1', local)
    await removeAdded({ name, machine: 'legacy-1', kind: 'plain' })
    expect((await labStatus({ name })).added).toEqual([phys1, phys2])
  })
})

describe('keepalived on two physical servers', () => {
  const vip = '10.20.1.100'
  const router = (priority: number, advertIntervalMs: number): VirtualRouter => ({ id: 51, priority, advertIntervalMs, address: `${vip}/24` })
  const holds = (host: string) => holdsAddress({ name, host }, vip)
  const isMaster = (host: string) => until(() => holds(host), patienceMs, `${host} to hold ${vip}`)
  const start = (host: string, priority: number, advertIntervalMs: number): Promise<Keepalived> =>
    startKeepalived({ name, host }, router(priority, advertIntervalMs))
  /** Whose MAC a third machine has for the address; asked anew. */
  const ownerSeen = async (): Promise<string> => {
    await labCapture({ name, host: 'client', argv: ['ip', 'neighbour', 'flush', 'dev', 'eth0'] })
    await pinged('client', vip)
    return /lladdr (\S+)/.exec(await inside('client', 'ip', 'neighbour', 'show', vip))?.[1] ?? ''
  }

  beforeAll(async () => {
    await addPhysical({ name, machine: 'client', switchName: 'tor2', vlan: 100, address: '10.20.1.40/24' })
  })

  it.each([1000, 100])('elects the higher priority, and moves when that machine is powered off, at adverts each %i ms', async (advertIntervalMs) => {
    await start('phys-1', 110, advertIntervalMs)
    await isMaster('phys-1')
    const second = await start('phys-2', 100, advertIntervalMs)
    expect(await ownerSeen()).toBe(phys1.mac)
    expect(await holds('phys-2')).toBe(false)
    await labFault({ name, host: 'phys-1', fault: 'power-off' })
    await isMaster('phys-2')
    expect(await ownerSeen()).toBe(phys2.mac)
    await labFault({ name, host: 'phys-1', fault: 'power-on' })
    await signalKeepalived(second, 'TERM')
    expect(await holds('phys-2')).toBe(false)
  })

  it('moves when the master is ended, frozen or killed alone, and back', async () => {
    let first = await start('phys-1', 110, 100)
    await isMaster('phys-1')
    const second = await start('phys-2', 100, 100)
    const isBack = () => until(async () => !(await holds('phys-2')), patienceMs, 'phys-2 to give the address up')
    await signalKeepalived(first, 'TERM')
    await isMaster('phys-2')
    expect(await holds('phys-1')).toBe(false)
    expect(await ownerSeen()).toBe(phys2.mac)
    first = await start('phys-1', 110, 100)
    await isBack()
    await signalKeepalived(first, 'STOP')
    await isMaster('phys-2')
    await signalKeepalived(first, 'CONT')
    await isBack()
    await signalKeepalived(first, 'KILL')
    await isMaster('phys-2')
    // Nobody took the address from there.
    expect(await holds('phys-1')).toBe(true)
    await start('phys-1', 110, 100)
    await isBack()
    await signalKeepalived(second, 'TERM')
  })

  it('has the MAC of its virtual router where that is asked for', async () => {
    await addPhysical({ name, machine: 'vmac', switchName: 'tor1', vlan: 100, address: '10.20.1.41/24' })
    await startKeepalived({ name, host: 'vmac' }, { id: 7, priority: 100, advertIntervalMs: 100, address: '10.20.1.107/24', virtualMac: true })
    await pinged('client', '10.20.1.107')
    expect(await inside('client', 'ip', 'neighbour', 'show', '10.20.1.107')).toContain('00:00:5e:00:01:07')
  })

  it('says why it does not start', async () => {
    await expect(startKeepalived({ name, host: 'client' }, { ...router(100, 100), address: 'nonsense' })).rejects.toMatchObject({
      code: 'step-failed',
    })
  })
})

it('the queue that a virtual link ends in holds thousands of copies while there is a lab', () => {
  expect(Number(readFileSync('/proc/sys/net/core/netdev_max_backlog', 'utf8'))).toBeGreaterThanOrEqual(16_384)
})
