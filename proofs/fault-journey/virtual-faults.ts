import type { Fault } from './fault.ts'
import type { Rig } from './rig.ts'

const web = { from: 'web-1', to: 'db-1' }
const tcp = (to: string, dport: number) => ({ from: 'web-1', to, proto: 'tcp' as const, dport })
const dropped = (host: string, device: string, reason: NonNullable<Fault['expected']['drop']>['reason'], object: string | null) => ({
  verdict: 'dropped' as const,
  drop: { host, device, reason, object },
})

/** The flow on h1 that sends what is for db-1 into the tunnel, with other actions. */
async function alterTunnel(rig: Rig, change: (actions: string) => string): Promise<void> {
  const [line = ''] = (await rig.ofctl('h1', 'dump-flows', `table=9,dl_dst=${await rig.mac('db-1')}`))
    .split('\n')
    .filter((text) => text.includes('output'))
  const [, match, actions] = /priority=(\S+) actions=(.*)$/.exec(line)!
  const cookie = /cookie=(0x\w+)/.exec(line)![1]
  await rig.ofctl('h1', 'add-flow', `table=9,cookie=${cookie},priority=${match},actions=${change(actions!)}`)
}

/** Flows that somebody took out or changed by hand. */
export const alteredFlows: Fault[] = [
  {
    kind: 'flow to a port deleted by hand',
    heals: true,
    put: async (rig) => rig.ofctl('h1', 'del-flows', `table=9,dl_dst=${await rig.mac('db-1')}`),
    asked: web,
    expected: dropped('h1', 'br-int', 'flow-missing', 'port/db-1'),
  },
  {
    kind: 'flows of the sender’s port deleted by hand',
    heals: true,
    put: (rig) => rig.ofctl('h1', 'del-flows', ...rig.flowsOf('port', 'web-1', ['none'])),
    asked: web,
    expected: dropped('h1', 'br-int', 'flow-missing', 'port/web-1'),
  },
  {
    kind: 'gateway’s answer to ARP deleted by hand',
    heals: true,
    put: (rig) => rig.ofctl('h1', 'del-flows', 'table=4,arp,arp_tpa=10.20.1.1'),
    asked: web,
    expected: dropped('h1', 'br-int', 'flow-missing', 'router/shop'),
  },
  {
    kind: 'flows of an ACL that drops deleted by hand',
    heals: true,
    put: (rig) => rig.ofctl('h2', 'del-flows', ...rig.flowsOf('acl', 'no-ssh', ['acl'])),
    asked: tcp('db-1', 22),
    expected: { verdict: 'delivered', parted: { host: 'h2', object: 'acl/no-ssh' } },
  },
  {
    kind: 'flows of an ACL that allows deleted by hand',
    heals: true,
    put: (rig) => rig.ofctl('h4', 'del-flows', ...rig.flowsOf('acl', 'allow-web', ['none'])),
    asked: tcp('db-2', 8080),
    expected: dropped('h4', 'br-int', 'flow-missing', 'acl/allow-web'),
  },
  {
    kind: 'foreign flow that drops',
    heals: true,
    put: (rig) => rig.ofctl('h1', 'add-flow', 'table=9,priority=50000,ip,nw_dst=10.20.2.11,actions=drop'),
    asked: web,
    expected: dropped('h1', 'br-int', 'flow-altered', 'port/db-1'),
  },
  {
    kind: 'tunnel key (VNI) altered in a flow',
    heals: true,
    put: (rig) => alterTunnel(rig, (actions) => actions.replace(/set_field:\w+->tun_id/, 'set_field:0x999->tun_id')),
    asked: web,
    expected: dropped('h1', 'br-int', 'flow-altered', 'port/db-1'),
  },
  {
    kind: 'tunnel sent to another host by a flow',
    heals: true,
    put: (rig) => alterTunnel(rig, (actions) => actions.replace(/(set_field:\d+\.\d+\.\d+)\.12->tun_dst/, '$1.14->tun_dst')),
    asked: web,
    expected: dropped('h1', 'br-int', 'flow-altered', 'port/db-1'),
  },
]

/** What the declaration itself forbids or does not provide. */
export const declaredFaults: Fault[] = [
  { kind: 'ACL, in', asked: tcp('db-1', 22), expected: dropped('h2', 'br-int', 'acl', 'acl/no-ssh') },
  { kind: 'ACL, out, stateless: the answer is lost', asked: tcp('db-1', 5432), expected: dropped('h2', 'br-int', 'acl', 'acl/mute') },
  { kind: 'network without a router', asked: { from: 'lone-1', to: 'db-1' }, expected: dropped('h1', 'br-int', 'no-route', 'network/lone') },
  {
    kind: 'network that the router does not have',
    asked: { from: 'web-1', to: 'lone-1' },
    expected: dropped('h1', 'br-int', 'no-route', 'router/shop'),
  },
  {
    kind: 'no route back through a peering',
    asked: { from: 'web-1', to: '10.30.1.11' },
    expected: dropped('h3', 'br-int', 'no-route', 'router/crm'),
  },
  {
    kind: 'static route to a guest that does not route',
    asked: { from: 'web-1', to: '172.16.0.5' },
    expected: dropped('h3', 'web-2', 'unknown-destination', 'port/web-2'),
  },
]

/** Packets that may not pass. */
export const packetFaults: Fault[] = [
  { kind: 'larger than the network’s MTU', asked: { ...web, sizeBytes: 1450 }, expected: dropped('h1', 'br-int', 'mtu', 'network/db') },
  { kind: 'spoofed source MAC', asked: { ...web, sourceMac: '02:00:00:00:00:66' }, expected: dropped('h1', 'br-int', 'port-security', 'port/web-1') },
  { kind: 'spoofed source IP', asked: { ...web, sourceIp: '10.20.1.66' }, expected: dropped('h1', 'br-int', 'port-security', 'port/web-1') },
  { kind: 'TTL too small', asked: { ...web, ttl: 1 }, expected: dropped('h1', 'br-int', 'ttl', null) },
  {
    kind: 'address that nobody has, same subnet',
    asked: { from: 'web-1', to: '10.20.1.99' },
    expected: dropped('h1', 'br-int', 'arp-unanswered', 'network/web'),
  },
  {
    kind: 'ARP unanswered',
    asked: { from: 'web-1', to: '10.20.1.98', proto: 'arp' },
    expected: dropped('h1', 'br-int', 'arp-unanswered', 'network/web'),
  },
  {
    kind: 'address that nobody has, other subnet',
    asked: { from: 'web-1', to: '10.20.2.99' },
    expected: dropped('h1', 'br-int', 'unknown-destination', 'network/db'),
  },
]
