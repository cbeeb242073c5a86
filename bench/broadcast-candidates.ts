/**
 * Run in namespaces of its own, bound to one core: one way of replicating, a sender and a sink. Arguments: the way, the number of members,
 * paths of the replicator's and of the sink's object, directory of Open vSwitch's programs. For each line on stdin, which says how many
 * milliseconds, it prints a `CopyRound`.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import koffi from 'koffi'
import { Btf } from '../agent/network/broadcast/bpf/btf.ts'
import { possibleCpus } from '../agent/network/broadcast/bpf/collection.ts'
import { parseElf } from '../agent/network/broadcast/bpf/elf.ts'
import { attach } from '../agent/network/broadcast/bpf/link.ts'
import { createMap, type BpfMap } from '../agent/network/broadcast/bpf/map.ts'
import { linkProgram, loadBtf, loadProgram } from '../agent/network/broadcast/bpf/program.ts'
import { arp, broadcastMac, ethernet, noMac, vxlan } from '../agent/network/broadcast/fixtures/frames.ts'
import { host, member } from '../agent/network/broadcast/fixtures/node.ts'
import { startOvs } from '../agent/network/broadcast/fixtures/ovs.ts'
import type { UnderlayAddress } from '../agent/network/broadcast/members.ts'
import { Replicator } from '../agent/network/broadcast/replicator.ts'
import { loadLibc, sockRaw } from '../agent/cluster/libc.ts'

export type Way = 'kernel' | 'tc' | 'xdp' | 'packet' | 'ovs'

export interface CopyRound {
  copiesPerSecond: number
  lost: number
}

const [way, membersText, objectPath, sinkPath, ovsPrograms] = process.argv.slice(2) as [Way, string, string, string, string]
const memberCount = Number(membersText)
const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' })
const vni = 100
const kernelAt: UnderlayAddress = { ip: '10.9.0.1', mac: '02:00:00:00:00:a1' }
const replicatorAt: UnderlayAddress = { ip: '10.9.0.100', mac: '02:00:00:00:fe:64' }
const source: UnderlayAddress = { ip: '10.9.0.2', mac: '02:00:00:00:00:a2' }
const members = Array.from({ length: memberCount }, (_, index) => host(index + 1))
const memberList = [source, ...members].map((place) => member(place))

for (const name of ['all', 'default']) writeFileSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, '1')
ip('link', 'add', 'node', 'mtu', '1600', 'address', kernelAt.mac, 'type', 'veth', 'peer', 'name', 'wire', 'mtu', '1600', 'address', source.mac)
for (const nic of ['node', 'wire']) ip('link', 'set', 'dev', nic, 'up')
ip('address', 'add', `${kernelAt.ip}/16`, 'dev', 'node')
const batch = (program: string, lines: string[]): string => execFileSync(program, ['-batch', '-'], { input: lines.join('\n'), encoding: 'utf8' })
batch('ip', [source, ...members].map(({ ip: address, mac }) => `neigh replace ${address} lladdr ${mac} dev node nud permanent`)) // prettier-ignore

/** Each takes frames to the address that it answers with, and the fresh setting up of a namespace leaves no other at the NIC. */
const ways: Record<Way, () => UnderlayAddress | Promise<UnderlayAddress>> = {
  kernel() {
    // What comes in by the device goes out by it again, once to each default destination: the bridge turns it around.
    ip('link', 'add', 'vx0', 'type', 'vxlan', 'id', String(vni), 'dstport', '4789', 'local', kernelAt.ip, 'dev', 'node', 'nolearning', 'noudpcsum')
    ip('link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0')
    ip('link', 'set', 'vx0', 'master', 'br0')
    ip('link', 'set', 'vx0', 'type', 'bridge_slave', 'hairpin', 'on', 'learning', 'off')
    batch('bridge', members.map(({ ip: address }) => `fdb append 00:00:00:00:00:00 dev vx0 dst ${address}`)) // prettier-ignore
    ip('link', 'set', 'br0', 'up')
    ip('link', 'set', 'vx0', 'up')
    return kernelAt
  },
  tc() {
    const pinDirectory = mkdtempSync(join(tmpdir(), 'pins-'))
    const replicator = new Replicator({ nic: 'node', mtuBytes: 1600, hostIp: null, pinDirectory, objectPath })
    replicator.setAddresses([replicatorAt], [])
    replicator.setMembers(new Map([[vni, memberList]]))
    process.on('exit', () => {
      replicator.close({ keep: false })
      rmdirSync(pinDirectory)
    })
    return replicatorAt
  },
  async xdp() {
    // Another node at the other end answers the test of the NIC.
    const other = host(60_000)
    const pins = ['pins-', 'other-'].map((name) => mkdtempSync(join(tmpdir(), name)))
    const open = (nic: string, end: UnderlayAddress, at: UnderlayAddress, index: number): Replicator => {
      const replicator = new Replicator({ nic, mtuBytes: 1600, hostIp: end.ip, pinDirectory: pins[index]!, objectPath })
      replicator.setAddresses([at], [])
      return replicator
    }
    const replicator = open('node', kernelAt, replicatorAt, 0)
    const reflector = open('wire', source, other, 1)
    replicator.setMembers(new Map([[vni, memberList]]))
    const tested = reflector.accelerate(source, [replicatorAt])
    await replicator.accelerate(kernelAt, [other])
    await tested
    reflector.close({ keep: false })
    process.on('exit', () => {
      replicator.close({ keep: false })
      for (const directory of pins) rmdirSync(directory)
    })
    if (replicator.way !== 'xdp') throw new Error(`The NIC did not stand its test: ${replicator.notFasterBecause}`)
    return replicatorAt
  },
  async packet() {
    const program = join(import.meta.dirname, '../agent/network/broadcast/fixtures/packet-process.ts')
    const known = JSON.stringify([[replicatorAt], [[vni, memberList]]])
    const child = spawn(process.execPath, [program, known], { stdio: ['ignore', 'pipe', 'inherit'] })
    process.on('exit', () => child.kill())
    await once(child.stdout, 'data')
    return replicatorAt
  },
  ovs() {
    ip('address', 'flush', 'dev', 'node')
    const { vsctl, ofctl, appctl } = startOvs(ovsPrograms, 'node', replicatorAt)
    const port = ['type=vxlan', 'ofport_request=1', 'options:remote_ip=flow', 'options:key=flow', `options:local_ip=${replicatorAt.ip}`]
    vsctl('add-port', 'br-int', 'vx0', '--', 'set', 'interface', 'vx0', ...port)
    for (const { ip: address, mac } of [source, ...members]) appctl('tnl/neigh/set', 'br-phy', address, mac)
    const outputs = members.map(({ ip: address }) => `set_field:${address}->tun_dst,output:in_port`)
    ofctl('add-flow', 'br-int', `in_port=1,tun_id=${vni} actions=set_field:${vni}->tun_id,${outputs.join(',')}`)
    return replicatorAt
  },
}
const to = await ways[way]()
const sunk = startSink()

/** Copies that have come to the sink. */
function countSunk(): number {
  const perCpu = sunk.lookup(Buffer.alloc(4))!
  let total = 0n
  for (let at = 0; at < perCpu.length; at += 8) total += perCpu.readBigUInt64LE(at)
  return Number(total)
}

function startSink(): BpfMap {
  const object = parseElf(readFileSync(sinkPath))
  const btf = new Btf(object)
  const map = createMap(btf.maps()[0]!, possibleCpus())
  // As early as this way's copies can be counted: those of XDP never become the kernel's buffers, all others are.
  const early = way === 'xdp'
  const section = early ? 'xdp' : 'tcx/ingress'
  const program = linkProgram(object, btf, section, new Map([[map.definition.name, map.descriptor]]))
  attach(loadProgram({ object, section, program, btf: loadBtf(btf) }), loadLibc().if_nametoindex('wire'), early ? 'xdp' : 'ingress')
  return map
}

/** Sends so many of one frame by a single call: sendmmsg(2), packet(7). */
function makeSender(frame: Buffer, count: number): () => number {
  const sendmmsg = koffi.load(null).func('int sendmmsg(int, void *, uint, int)') as unknown as (fd: number, m: Buffer, n: number, f: number) => number
  const descriptor = loadLibc().socket(17, sockRaw, 0)
  const address = Buffer.alloc(20)
  address.writeUInt16LE(17, 0)
  address.writeInt32LE(loadLibc().if_nametoindex('wire'), 4)
  loadLibc().bind(descriptor, address, address.length)
  // One iovec that all messages share, then as many `struct mmsghdr`.
  const iovec = Buffer.alloc(128)
  iovec.writeBigUInt64LE(koffi.address(frame), 0)
  iovec.writeBigUInt64LE(BigInt(frame.length), 8)
  const messages = Buffer.alloc(64 * count)
  for (let index = 0; index < count; index++) {
    messages.writeBigUInt64LE(koffi.address(iovec), index * 64 + 16)
    messages.writeBigUInt64LE(1n, index * 64 + 24)
  }
  // Both must live as long as the sender does.
  return () => (iovec.length + frame.length > 0 ? sendmmsg(descriptor, messages, count, 0) : 0)
}

const inner = ethernet(
  broadcastMac,
  '02:aa:00:00:00:01',
  0x0806,
  Buffer.concat([arp(1, source, { ip: '192.168.0.77', mac: noMac }), Buffer.alloc(22)]),
)
/** As many copies as the queue of a veth takes from XDP. */
const copiesAtOnce = 256
const window = Math.max(1, Math.floor(copiesAtOnce / memberCount))
const send = makeSender(vxlan(vni, inner, { from: source, to }), window)
const pause = new Int32Array(new SharedArrayBuffer(4))

/** Sends a window, waits until all its copies have come, and so on. */
function round(durationMs: number): CopyRound {
  const startMs = performance.now()
  const before = countSunk()
  let sent = 0
  while (performance.now() < startMs + durationMs) {
    sent += send()
    const waitUntilMs = performance.now() + 500
    // What is done in the kernel is done by now; a process needs the core.
    while (countSunk() - before < sent * memberCount && performance.now() < waitUntilMs) Atomics.wait(pause, 0, 0, 0.05)
  }
  const elapsedMs = performance.now() - startMs
  const copies = countSunk() - before
  return { copiesPerSecond: (copies / elapsedMs) * 1000, lost: sent * memberCount - copies }
}

round(200)
console.log('ready')
for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(round(Number(line))))
process.exit()
