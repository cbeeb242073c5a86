import { newPort } from './declaration.ts'
import type { Fault } from './fault.ts'
import type { Rig } from './rig.ts'

const web = { from: 'web-1', to: 'db-1' }
const dropped = (host: string, device: string, reason: NonNullable<Fault['expected']['drop']>['reason'], object: string | null) => ({
  verdict: 'dropped' as const,
  drop: { host, device, reason, object },
})

const keeperWords = 'holdfast.*keeper.mjs'
const moduleWords = 'holdfast.*network.mjs'

async function signal(rig: Rig, host: string, which: 'STOP' | 'CONT', words: string): Promise<void> {
  await rig.on(host, 'kill', `-${which}`, ...(await rig.pids(host, words)))
}

/** Does something to the switch of a host whose keeper does not look. */
async function toSwitch(rig: Rig, host: string, which: 'KILL' | 'STOP'): Promise<void> {
  const { active } = await rig.keeper(host)
  await signal(rig, host, 'STOP', keeperWords)
  await rig.on(host, 'kill', `-${which}`, String(active!.vswitchd.pid))
}

/** Guests that are off, gone or deaf. */
export const guestFaults: Fault[] = [
  {
    kind: 'receiver’s guest has its port down',
    put: (rig) => rig.on('db-1', 'ip', 'link', 'set', 'eth0', 'down'),
    undo: (rig) => rig.on('db-1', 'sh', '-c', 'ip link set eth0 up && ip route replace default via 10.20.2.1'),
    asked: web,
    expected: dropped('h2', 'db-1', 'port-down', 'port/db-1'),
  },
  {
    kind: 'sender’s guest has its port down',
    put: (rig) => rig.on('web-1', 'ip', 'link', 'set', 'eth0', 'down'),
    undo: (rig) => rig.on('web-1', 'sh', '-c', 'ip link set eth0 up && ip route replace default via 10.20.1.1'),
    asked: web,
    expected: dropped('h1', 'web-1', 'port-down', 'port/web-1'),
  },
  {
    kind: 'guest gone',
    heals: true,
    put: (rig) => rig.on('h2', 'python3', '-c', 'import json,os;os.kill(json.load(open("/run/holdfast/guest-db-1.pid"))["pid"],9)'),
    asked: web,
    expected: dropped('h2', 'db-1', 'port-down', 'port/db-1'),
  },
  {
    kind: 'guest’s own firewall drops',
    put: (rig) => rig.on('db-1', 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all'),
    undo: (rig) => rig.on('db-1', 'sh', '-c', 'echo 0 > /proc/sys/net/ipv4/icmp_echo_ignore_all'),
    asked: web,
    expected: { verdict: 'unknown', limit: /^It reached db-1 of h2, which did not answer/ },
  },
]

/** Switches and modules of hosts that do not run. */
export const hostFaults: Fault[] = [
  {
    kind: 'virtual switch dead, keeper stopped',
    put: (rig) => toSwitch(rig, 'h2', 'KILL'),
    undo: (rig) => signal(rig, 'h2', 'CONT', keeperWords),
    asked: web,
    expected: dropped('h2', 'br-int', 'switch-down', 'forwarding/h2'),
  },
  {
    kind: 'virtual switch hung, keeper stopped',
    put: (rig) => toSwitch(rig, 'h2', 'STOP'),
    undo: (rig) => signal(rig, 'h2', 'CONT', keeperWords),
    asked: web,
    expected: dropped('h2', 'br-int', 'switch-down', 'forwarding/h2'),
  },
  {
    kind: 'own virtual switch dead, keeper stopped',
    put: (rig) => toSwitch(rig, 'h1', 'KILL'),
    undo: (rig) => signal(rig, 'h1', 'CONT', keeperWords),
    asked: web,
    expected: dropped('h1', 'br-int', 'switch-down', 'forwarding/h1'),
  },
  {
    kind: 'network module stopped: a new port’s flows are missing',
    put: async (rig) => {
      await signal(rig, 'h2', 'STOP', moduleWords)
      await rig.apply(newPort, { prune: false, waitMs: 0 })
    },
    undo: async (rig) => {
      await signal(rig, 'h2', 'CONT', moduleWords)
      await rig.begin()
    },
    asked: { from: 'web-1', to: '10.20.2.19' },
    expected: dropped('h2', 'br-int', 'flow-missing', 'forwarding/h2'),
  },
]

const farLink = 'link/h2/tenant--tor2/swp9'

/** What is wrong with NICs, cables and switches. */
export const cableFaults: Fault[] = [
  {
    kind: 'cable of the sender’s host cut',
    put: (rig) => rig.fault('h1', 'link-down'),
    undo: (rig) => rig.fault('h1', 'link-up'),
    asked: web,
    expected: dropped('h1', 'tenant', 'link-down', 'link/h1/tenant--tor1/swp8'),
  },
  {
    kind: 'cable of the receiver’s host cut',
    put: (rig) => rig.fault('h2', 'link-down'),
    undo: (rig) => rig.fault('h2', 'link-up'),
    asked: web,
    expected: dropped('h2', 'tenant', 'link-down', farLink),
  },
  {
    kind: 'cable cut between two hosts themselves',
    put: (rig) => rig.fault('h2', 'link-down'),
    undo: (rig) => rig.fault('h2', 'link-up'),
    asked: { from: 'host:h1', to: 'host:h2' },
    expected: dropped('h2', 'tenant', 'link-down', farLink),
  },
  {
    kind: 'trunk between the switches cut',
    put: async (rig) => rig.onSwitch('tor1', `link set dev ${(await rig.trunk()).tor1} down`),
    undo: async (rig) => rig.onSwitch('tor1', `link set dev ${(await rig.trunk()).tor1} up`),
    asked: web,
    expected: dropped('tor1', 'tor1', 'link-silent', 'link/tor1--tor2'),
  },
  {
    kind: 'wrong VLAN at the switch’s port',
    put: async (rig) => rig.onSwitch('tor2', `link set dev ${(await rig.switchPort('h2')).port} master br-storage`),
    undo: async (rig) => rig.onSwitch('tor2', `link set dev ${(await rig.switchPort('h2')).port} master br-tenant`),
    asked: web,
    expected: dropped('tor2', 'swp9', 'link-silent', farLink),
  },
  {
    kind: 'MTU of the sender’s NIC too small',
    put: (rig) => rig.on('h1', 'ip', 'link', 'set', 'tenant', 'mtu', '1300'),
    undo: (rig) => rig.on('h1', 'ip', 'link', 'set', 'tenant', 'mtu', '9000'),
    asked: { ...web, sizeBytes: 1380 },
    expected: dropped('h1', 'tenant', 'mtu', 'nic/h1/tenant'),
  },
  {
    kind: 'MTU of the receiver’s NIC too small',
    put: (rig) => rig.on('h2', 'ip', 'link', 'set', 'tenant', 'mtu', '1300'),
    undo: (rig) => rig.on('h2', 'ip', 'link', 'set', 'tenant', 'mtu', '9000'),
    asked: { ...web, sizeBytes: 1380 },
    expected: dropped('h2', 'tenant', 'mtu', 'nic/h2/tenant'),
  },
  {
    kind: 'MTU between the switches too small',
    put: async (rig) => rig.onSwitch('tor1', `link set dev ${(await rig.trunk()).tor1} mtu 1300`),
    undo: async (rig) => rig.onSwitch('tor1', `link set dev ${(await rig.trunk()).tor1} mtu 9000`),
    asked: { ...web, sizeBytes: 1380 },
    expected: dropped('tor1', 'tor1', 'mtu', 'link/tor1--tor2'),
  },
  {
    kind: 'NIC of the receiver’s host gone',
    put: (rig) => rig.moveNic('h2', 'db-1'),
    // With the guest the NIC ends for good: only a boot brings another.
    undo: async (rig) => {
      await rig.fault('h2', 'power-off')
      await rig.fault('h2', 'power-on')
    },
    asked: web,
    expected: dropped('h2', 'tenant', 'nic-missing', 'nic/h2/tenant'),
  },
  {
    kind: 'receiver’s host off',
    put: (rig) => rig.fault('h2', 'power-off'),
    undo: (rig) => rig.fault('h2', 'power-on'),
    asked: web,
    expected: dropped('h2', 'tenant', 'host-down', 'host/h2'),
  },
]
