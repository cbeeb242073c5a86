/**
 * Run in namespaces of its own: an Open vSwitch that forwards in user space, as a host's does, with one guest. Its argument is the directory
 * of its programs' `usr`. For each line on stdin, which says a number of member hosts, it prints a `SourceTrial`.
 */
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { broadcastMac, ethernet } from '../agent/network/broadcast/fixtures/frames.ts'
import { makeCable, self } from '../agent/network/broadcast/fixtures/node.ts'
import { startOvs } from '../agent/network/broadcast/fixtures/ovs.ts'
import { PacketSocket } from '../agent/network/broadcast/fixtures/packet-socket.ts'

/** What becomes of a network's broadcast flow with so many other member hosts. */
export interface SourceTrial {
  members: number
  /** Whether ovs-vswitchd takes the flow. */
  accepted: boolean
  /** Of the frames that a guest sent, those that came to every member exactly once. */
  complete: number
  /** Members that the frame came to which came to the fewest. */
  fewestCopies: number
}

/** Frames of a trial. The first has the data path's flow made, which the others find. */
export const framesPerTrial = 5

const vni = 100
const guestPort = 256
const router = { ip: '10.9.0.254', mac: '02:00:00:00:fe:fe' }
const prefix = [10, 50] as const
const firstEtherType = 0x9100

if (import.meta.main) await main(process.argv[2]!)

async function main(usr: string): Promise<void> {
  for (const name of ['all', 'default']) writeFileSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, '1')
  const { wire } = makeCable()
  execFileSync('ip', ['link', 'add', 'guest', 'type', 'veth', 'peer', 'name', 'eth0'])
  for (const device of ['guest', 'eth0']) execFileSync('ip', ['link', 'set', 'dev', device, 'up'])
  const guest = new PacketSocket('eth0')
  const { vsctl, ofctl, appctl } = startOvs(usr, 'node', self)
  const tunnel = ['type=vxlan', 'ofport_request=1', 'options:remote_ip=flow', 'options:key=flow', `options:local_ip=${self.ip}`]
  vsctl('add-port', 'br-int', 'vx0', '--', 'set', 'interface', 'vx0', ...tunnel)
  vsctl('add-port', 'br-int', 'guest', '--', 'set', 'interface', 'guest', `ofport_request=${guestPort}`)
  // The members are behind a router, so that one neighbour is enough.
  appctl('ovs/route/add', `${prefix.join('.')}.0.0/16`, 'br-phy', router.ip)
  appctl('tnl/neigh/set', 'br-phy', router.ip, router.mac)
  const path = join(tmpdir(), `source-limits-${process.pid}`)
  process.on('exit', () => rmSync(path, { force: true }))
  let sent = 0
  let trials = 0

  /** What a host's agent does, as one bundle. */
  function accepts(members: number): boolean {
    const copies = Array.from({ length: members }, (_, index) => `set_field:${[...prefix, index >> 8, index & 255].join('.')}->tun_dst,output:1`)
    writeFileSync(path, `delete\nadd in_port=${guestPort},dl_dst=${broadcastMac} actions=set_field:${vni}->tun_id,${copies.join(',')}\n`)
    try {
      ofctl('add-flows', 'br-int', path, '--bundle', '-OOpenFlow15')
      return true
    } catch {
      return false
    }
  }

  async function trial(members: number): Promise<SourceTrial> {
    if (!accepts(members)) return { members, accepted: false, complete: 0, fewestCopies: 0 }
    // An EtherType of its own: the data path has no flow for it yet.
    const etherType = firstEtherType + trials++
    const first = sent
    const found = Array.from({ length: framesPerTrial }, () => new Map<string, number>())
    for (; sent < first + framesPerTrial; sent++) {
      const number = Buffer.alloc(50)
      number.writeUInt32BE(sent, 46)
      guest.send(ethernet(broadcastMac, '02:aa:00:00:00:01', etherType, number))
      for (const frame of await wire.frames(members, 2000)) {
        const to = frame.subarray(30, 34).join('.')
        const copies = to.startsWith(`${prefix.join('.')}.`) ? found[frame.readUInt32BE(frame.length - 4) - first] : undefined
        copies?.set(to, (copies.get(to) ?? 0) + 1)
      }
    }
    const isComplete = (copies: ReadonlyMap<string, number>): boolean => copies.size === members && [...copies.values()].every((count) => count === 1)
    return {
      members,
      accepted: true,
      complete: found.filter(isComplete).length,
      fewestCopies: Math.min(...found.map(({ size }) => size)),
    }
  }

  console.log('ready')
  for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(await trial(Number(line))))
  process.exit()
}
