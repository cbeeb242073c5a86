import { listKinds } from '../../core/contract/desktop/inventory.ts'
import { broadcastModes } from '../../core/model/network.ts'
import type { Output } from './output.ts'

/** A named option. Without `value` it is a flag. */
export interface OptionSpec {
  name: string
  /** Its one-letter form. */
  short?: string
  /** Name of its value in the help, e.g. `ADDRESS`. */
  value?: string
  /** It may be given several times. */
  many?: true
  help: string
}

/** A positional argument; `rest` takes all that follow. */
export interface ArgumentSpec {
  name: string
  optional?: boolean
  rest?: boolean
}

/** What a command was called with, after it was checked against its own row of the table. */
export interface Call {
  args: string[]
  options: Record<string, string | boolean | string[] | undefined>
  out: Output
}

/** One command. What it does is loaded only when it runs, so that `--help` and `status` start fast. */
export interface Command {
  /** Words that name it: `['host', 'add']`. */
  words: string[]
  help: string
  args?: ArgumentSpec[]
  options?: OptionSpec[]
  /** Exits 0, or with the number it answers. */
  load: () => Promise<(call: Call) => Promise<number | void>>
}

const context: OptionSpec = { name: 'context', value: 'NAME', help: 'work on this cluster instead of the current one' }
const offline: OptionSpec = { name: 'offline', help: 'from this laptop’s inventory alone' }
const noWait: OptionSpec = { name: 'no-wait', help: 'do not wait for the hosts' }
const labName: OptionSpec = { name: 'name', value: 'LAB', help: 'which lab, if there are several (lab)' }

const labSwitch: OptionSpec = { name: 'switch', value: 'SWITCH', help: 'tor1 or tor2 (tor1)' }

const declaration: OptionSpec[] = [
  { name: 'file', short: 'f', value: 'FILE', help: 'the declaration in YAML; - is stdin' },
  { name: 'prune', help: 'also delete what is not declared' },
]

const ssh: OptionSpec[] = [
  { name: 'port', value: 'PORT', help: 'port of its sshd (22)' },
  { name: 'user', value: 'USER', help: 'account with root’s rights (root)' },
  { name: 'key', value: 'FILE', help: 'private key on this laptop; without it the SSH agent is asked' },
  { name: 'key-passphrase-file', value: 'FILE', help: 'file with the key’s passphrase' },
  { name: 'password-file', value: 'FILE', help: 'file with the account’s password' },
  { name: 'jump', value: 'USER@HOST:PORT', help: 'go through this host first' },
  { name: 'jump-key', value: 'FILE', help: 'private key for the jump host (that of --key)' },
]

/** Every command there is. Parser and help are made from it. */
export const commands: Command[] = [
  {
    words: ['status'],
    help: 'cluster, hosts, planes and modules at a glance; answers within 3 s, whatever is down',
    options: [context],
    load: async () => (await import('./commands/inventory.ts')).status,
  },
  {
    words: ['inventory', 'list'],
    help: `objects of a kind: ${listKinds.join(', ')}`,
    args: [{ name: 'KIND' }],
    options: [offline, context],
    load: async () => (await import('./commands/inventory.ts')).list,
  },
  {
    words: ['search'],
    help: 'objects by any word in them, from this laptop’s inventory',
    args: [{ name: 'WORDS', rest: true }],
    options: [{ name: 'limit', value: 'N', help: 'at most so many (50)' }, context],
    load: async () => (await import('./commands/inventory.ts')).search,
  },
  {
    words: ['events'],
    help: 'what happened, oldest first',
    options: [{ name: 'follow', help: 'go on with what happens, until Ctrl-C; with --json one event a line' }, context],
    load: async () => (await import('./commands/inventory.ts')).events,
  },
  {
    words: ['plan'],
    help: 'what a declaration of the virtual network would change',
    options: [...declaration, context],
    load: async () => (await import('./commands/network.ts')).plan,
  },
  {
    words: ['apply'],
    help: 'makes the virtual network what is declared; waits until every host has it in place',
    options: [...declaration, noWait, context],
    load: async () => (await import('./commands/network.ts')).apply,
  },
  {
    words: ['export'],
    help: 'the virtual network as a declaration',
    options: [context],
    load: async () => (await import('./commands/network.ts')).exportNetwork,
  },
  {
    words: ['network', 'drops'],
    help: 'what virtual switches have dropped, by reason and object, and the ICMP errors that they sent',
    args: [{ name: 'HOST', optional: true }],
    options: [context],
    load: async () => (await import('./commands/drops.ts')).drops,
  },
  {
    words: ['network', 'failover'],
    help: 'has the standby of a host’s virtual switch take over',
    args: [{ name: 'HOST' }],
    options: [context],
    load: async () => (await import('./commands/network.ts')).failover,
  },
  {
    words: ['vip', 'list'],
    help: 'floating addresses, and which port has each',
    options: [offline, context],
    load: async () => (await import('./commands/vip.ts')).list,
  },
  {
    words: ['vip', 'show'],
    help: 'who has a floating address, who may have it, whose claims were refused, and where it was',
    args: [{ name: 'NAME' }],
    options: [offline, context],
    load: async () => (await import('./commands/vip.ts')).show,
  },
  {
    words: ['vip', 'history'],
    help: 'the moves of a floating address, with the outage of each',
    args: [{ name: 'NAME' }],
    options: [offline, context],
    load: async () => (await import('./commands/vip.ts')).history,
  },
  {
    words: ['broadcast', 'status'],
    help: 'the nodes of the broadcast cluster, and what they do for each network',
    options: [offline, context],
    load: async () => (await import('./commands/broadcast.ts')).status,
  },
  {
    words: ['broadcast', 'members'],
    help: 'the hosts that get a network’s broadcast',
    args: [{ name: 'NETWORK' }],
    options: [offline, context],
    load: async () => (await import('./commands/broadcast.ts')).members,
  },
  {
    words: ['broadcast', 'set'],
    help: `how broadcast gets to the other hosts of a network: ${broadcastModes.join(', ')}`,
    args: [{ name: 'NETWORK' }, { name: 'MODE' }],
    options: [noWait, context],
    load: async () => (await import('./commands/broadcast.ts')).set,
  },
  {
    words: ['trace'],
    help: 'where a packet goes, over every virtual and physical device, and why it goes no further',
    options: [
      { name: 'from', value: 'PORT', help: 'name of the port that sends; host:NAME for a host itself' },
      { name: 'to', value: 'ADDRESS', help: 'IP address, or name of a port or VIP; host:NAME from a host' },
      { name: 'proto', value: 'PROTO', help: 'icmp, tcp, udp, arp, or a number, e.g. 112 for VRRP (icmp)' },
      { name: 'sport', value: 'N', help: 'source port' },
      { name: 'dport', value: 'N', help: 'destination port' },
      { name: 'ttl', value: 'N', help: 'TTL or hop limit (64)' },
      { name: 'size', value: 'BYTES', help: 'length of the IP packet' },
      { name: 'source-ip', value: 'IP', help: 'another source address than the port’s own' },
      { name: 'source-mac', value: 'MAC', help: 'another source MAC than the port’s own' },
      { name: 'frame', value: 'HEX', help: 'send this very frame, Ethernet header first' },
      { name: 'deliver', help: 'let it reach what listens at the receiver, from which it is kept otherwise' },
      { name: 'mode', value: 'MODE', help: 'live, simulated or both (both)' },
      { name: 'verbose', help: 'also the hops of every copy of a packet to many, and what each switch on the way says that it would do (live)' },
      { name: 'file', short: 'f', value: 'FILE', help: 'as if this declaration were applied (simulated); - is stdin' },
      { name: 'prune', help: 'with -f: as if it were applied with --prune' },
      context,
    ],
    load: async () => (await import('./commands/trace.ts')).trace,
  },
  {
    words: ['reachability'],
    help: 'who reaches whom in a VPC, and what a declaration would change about it',
    args: [{ name: 'VPC' }],
    options: [
      { name: 'proto', value: 'PROTO', help: 'icmp, tcp, udp, or a number (icmp)' },
      { name: 'dport', value: 'N', help: 'destination port' },
      { name: 'file', short: 'f', value: 'FILE', help: 'compare with this declaration applied; - is stdin' },
      { name: 'prune', help: 'with -f: as if it were applied with --prune' },
      context,
    ],
    load: async () => (await import('./commands/trace.ts')).reachability,
  },
  {
    words: ['capture'],
    help: 'packets at several places at once, into one pcapng file for Wireshark',
    options: [
      { name: 'at', value: 'PLACE', many: true, help: 'port:NAME, nic:HOST/NIC, bridge:HOST or tunnel:HOST/NETWORK; several times for several' },
      { name: 'filter', value: 'FILTER', help: 'which packets, as tcpdump has it (pcap-filter); all without it' },
      { name: 'seconds', value: 'N', help: 'ends it after so long (30)' },
      { name: 'max-mb', value: 'N', help: 'ends it when so many megabytes have come, of all places together (16)' },
      { name: 'output', short: 'o', value: 'FILE', help: 'the file' },
      context,
    ],
    load: async () => (await import('./commands/capture.ts')).capture,
  },
  {
    words: ['host', 'key'],
    help: 'the host key that a server shows, and whether it is the pinned one',
    args: [{ name: 'ADDRESS' }],
    options: [
      { name: 'accept', value: 'FINGERPRINT', help: 'pin this key, which you compared with the one on the host itself' },
      ...ssh.filter(({ name }) => name === 'port' || name.startsWith('jump')),
      context,
    ],
    load: async () => (await import('./commands/host.ts')).key,
  },
  {
    words: ['host', 'add'],
    help: 'installs the agent over SSH and takes the host into the cluster',
    args: [{ name: 'NAME' }],
    options: [
      { name: 'address', value: 'IP', help: 'its address on the mgmt plane, where SSH answers too (unless --ssh)' },
      { name: 'ssh', value: 'ADDRESS', help: 'where its sshd answers, if elsewhere' },
      { name: 'storage', value: 'IP', help: 'its address on the storage plane' },
      { name: 'tenant', value: 'IP', help: 'its address on the tenant plane' },
      { name: 'fingerprint', value: 'FINGERPRINT', help: 'the host key that you accept; not needed for one that is pinned' },
      { name: 'new-cluster', value: 'NAME', help: 'make a cluster of this name with it as the first host' },
      { name: 'cluster-ip', value: 'IP/BITS', help: 'with --new-cluster: address that follows the leader' },
      ...ssh,
      context,
    ],
    load: async () => (await import('./commands/host.ts')).add,
  },
  {
    words: ['host', 'remove'],
    help: 'takes a host out of the cluster and the agent off it; a dead host only out of the cluster',
    args: [{ name: 'NAME' }],
    options: [context],
    load: async () => (await import('./commands/host.ts')).remove,
  },
  {
    words: ['host', 'upgrade'],
    help: 'brings a host’s agent to this laptop’s version, module by module',
    args: [{ name: 'NAME' }],
    options: [context],
    load: async () => (await import('./commands/host.ts')).upgrade,
  },
  { words: ['tasks', 'list'], help: 'long work of this laptop', options: [context], load: async () => (await import('./commands/tasks.ts')).list },
  {
    words: ['tasks', 'resume'],
    help: 'runs an interrupted or failed task again',
    args: [{ name: 'ID' }],
    options: [context],
    load: async () => (await import('./commands/tasks.ts')).resume,
  },
  {
    words: ['tasks', 'cancel'],
    help: 'stops a task and takes back what it left half done',
    args: [{ name: 'ID' }],
    options: [context],
    load: async () => (await import('./commands/tasks.ts')).cancel,
  },
  {
    words: ['audit', 'list'],
    help: 'every change, who asked for it and how it ended',
    options: [context],
    load: async () => (await import('./commands/audit.ts')).list,
  },
  {
    words: ['audit', 'verify'],
    help: 'checks the hash chain of the audit log',
    options: [context],
    load: async () => (await import('./commands/audit.ts')).verify,
  },
  {
    words: ['context', 'add'],
    help: 'makes a cluster known that another laptop made: root of one of its hosts, by SSH, has it let this one in',
    args: [{ name: 'ADDRESS' }],
    options: [{ name: 'fingerprint', value: 'FINGERPRINT', help: 'the host key that you accept; not needed for one that is pinned' }, ...ssh],
    load: async () => (await import('./commands/context.ts')).add,
  },
  { words: ['context', 'list'], help: 'clusters that this laptop knows', load: async () => (await import('./commands/context.ts')).list },
  {
    words: ['context', 'use'],
    help: 'makes a cluster the current one',
    args: [{ name: 'NAME' }],
    load: async () => (await import('./commands/context.ts')).use,
  },
  {
    words: ['context', 'remove'],
    help: 'forgets a cluster, its keys and its inventory on this laptop',
    args: [{ name: 'NAME' }],
    load: async () => (await import('./commands/context.ts')).remove,
  },
  {
    words: ['lab', 'up'],
    help: 'three real hosts on this machine with a cluster on them; needs Linux and root',
    options: [labName, { name: 'hosts', value: 'N', help: 'number of hosts, 1 to 7 (3)' }],
    load: async () => (await import('./commands/lab.ts')).up,
  },
  {
    words: ['lab', 'down'],
    help: 'takes the lab down; its context and inventory stay',
    options: [labName],
    load: async () => (await import('./commands/lab.ts')).down,
  },
  { words: ['lab', 'status'], help: 'what of the lab runs', options: [labName], load: async () => (await import('./commands/lab.ts')).status },
  {
    words: ['lab', 'exec'],
    help: 'runs a program inside a host: lab exec h2 -- hostname',
    args: [{ name: 'HOST' }, { name: 'PROGRAM', rest: true }],
    options: [labName],
    load: async () => (await import('./commands/lab.ts')).exec,
  },
  {
    words: ['lab', 'fault'],
    help: 'power-off, power-on, pause, resume, hang-agent, clock, or link-down and link-up with a plane',
    args: [{ name: 'HOST' }, { name: 'FAULT' }, { name: 'PLANE', optional: true }],
    options: [labName, { name: 'offset-seconds', value: 'N', help: 'for clock: how far ahead it is set' }],
    load: async () => (await import('./commands/lab.ts')).fault,
  },
  {
    words: ['lab', 'physical', 'add'],
    help: 'plugs a physical server into an access port: its NIC eth0 is in a VLAN, without a tag',
    args: [{ name: 'NAME' }],
    options: [
      labName,
      labSwitch,
      { name: 'vlan', value: 'N', help: 'the VLAN, 2 to 4094; hosts get it tagged at their NIC tenant' },
      { name: 'address', value: 'CIDR', help: 'address of eth0, e.g. 10.20.1.31/24 (none)' },
      { name: 'mac', value: 'MAC', help: 'MAC of eth0 (one that the lab chooses and shows)' },
    ],
    load: async () => (await import('./commands/lab.ts')).physicalAdd,
  },
  {
    words: ['lab', 'physical', 'remove'],
    help: 'takes a physical server away',
    args: [{ name: 'NAME' }],
    options: [labName],
    load: async () => (await import('./commands/lab.ts')).physicalRemove,
  },
  {
    words: ['lab', 'plain', 'add'],
    help: 'plugs a host without virtual switch and agent into the tenant plane',
    args: [{ name: 'NAME' }],
    options: [labName, labSwitch],
    load: async () => (await import('./commands/lab.ts')).plainAdd,
  },
  {
    words: ['lab', 'plain', 'remove'],
    help: 'takes a plain host away',
    args: [{ name: 'NAME' }],
    options: [labName],
    load: async () => (await import('./commands/lab.ts')).plainRemove,
  },
  { words: ['agent', 'pack'], help: 'packs the agent’s tarball from this checkout', load: async () => (await import('./commands/agent.ts')).pack },
]
