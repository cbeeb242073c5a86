import { deviceIndex, errorDevice } from './devices.ts'
import { watchVni } from '../../../core/net/broadcast/nodes.ts'
import { runOvs } from './ovs-programs.ts'
import type { DesiredSwitch, SwitchPort, VlanPort } from './desired-switch.ts'
import type { InstancePaths } from './switch-paths.ts'

/** OpenFlow ports of br-int that every switch has; guests' come after. */
export const reservedPorts = {
  vxlan: { device: 'vx0', number: 1 },
  gre: { device: 'gre0', number: 2 },
  errors: { device: errorDevice, number: 3 },
} as const

/** Where the index of a port's device is noted in its row of the database. */
const deviceIndexKey = 'device-index'

/** UDP port of VXLAN, RFC 7348. */
export const vxlanUdpPort = 4789

/**
 * User space forwards in the data path that Open vSwitch calls `dummy`: it is `netdev`, the same code, but bridges have no device of the
 * kernel. So two ovs-vswitchd can stand side by side on one host, which with `netdev` would both claim the device `ovs-netdev`; the host
 * does not get a second device with the address of its NIC; and there are no such devices to be polled for packets.
 */
const userspaceType = 'dummy'

/** Commands to ovs-vsctl(8), all of them in one transaction; it waits until the switch has taken them in, unless `options` say otherwise. */
export async function vsctl(instance: InstancePaths, options: readonly string[], commands: readonly string[][]): Promise<string> {
  const joined = commands.flatMap((command) => ['--', ...command])
  return runOvs('ovs-vsctl', [`--db=unix:${instance.databaseSocket}`, '--timeout=8', ...options, ...joined])
}

/** Writes into an empty database what an ovs-vswitchd that starts on it is to be: bridges, tunnels and ports at once. */
export async function describeSwitch(instance: InstancePaths, { datapath, nic, tunnelEnd, ports }: DesiredSwitch): Promise<void> {
  const type = datapath === 'kernel' ? 'system' : userspaceType
  const bridge = (name: string) => [
    ['add-br', name],
    ['set', 'bridge', name, `datapath_type=${type}`, 'fail_mode=secure'],
  ]
  const tunnel = ({ device, number }: SwitchPort, ...settings: string[]) => [
    ['add-port', 'br-int', device],
    [
      'set',
      'interface',
      device,
      `ofport_request=${number}`,
      'options:remote_ip=flow',
      'options:key=flow',
      `options:local_ip=${tunnelEnd.ip}`,
      ...settings,
    ],
  ]
  const options = [
    // One thread each is enough for what a host has, and more of them wake up for nothing.
    'other_config:n-handler-threads=1',
    'other_config:n-revalidator-threads=1',
    // Counters in the database, which nobody reads there.
    'other_config:stats-update-interval=3600000',
    // What the kernel forwards goes on until the new flows are there, ovs-vswitchd.conf.db(5).
    ...(datapath === 'kernel' ? ['other_config:flow-restore-wait=true'] : []),
  ]
  const underlay = [
    ...bridge('br-phy'),
    ['set', 'bridge', 'br-phy', `other_config:hwaddr="${tunnelEnd.mac}"`],
    ...addPort('br-phy', { device: nic, number: 1 }),
  ]
  await vsctl(
    instance,
    ['--no-wait'],
    [
      ['init'],
      ['set', 'Open_vSwitch', '.', ...options],
      ...bridge('br-int'),
      ...tunnel(reservedPorts.vxlan, 'type=vxlan', `options:dst_port=${vxlanUdpPort}`),
      ...tunnel(reservedPorts.gre, 'type=gre'),
      ...devicePorts(ports).flatMap((port) => addPort('br-int', port)),
      ...(datapath === 'userspace' ? underlay : []),
    ],
  )
}

/** Lets a switch in the kernel take its packets that match no flow of the kernel's; until then it leaves alone what its predecessor put there. */
export async function endFlowRestore(instance: InstancePaths): Promise<void> {
  await vsctl(instance, [], [['remove', 'Open_vSwitch', '.', 'other_config', 'flow-restore-wait']])
}

/** First part of the names of tunnels that watch. */
export const watchDevice = 'hfwatch'

/**
 * Has the switch watch these ends and no others. `min_rx`, how often the other end may answer, is as small as can be: ovs-vswitchd 3.1 takes
 * an answer that comes sooner for none.
 */
export async function watchEnds(instance: InstancePaths, { watched, tunnelEnd }: DesiredSwitch): Promise<void> {
  const listed = await runOvs('ovs-vsctl', [`--db=unix:${instance.databaseSocket}`, '--timeout=8', 'list-ports', 'br-int'])
  const wanted = new Set(watched.map(({ number }) => `${watchDevice}${number}`))
  const old = listed.split('\n').filter((device) => device.startsWith(watchDevice) && !wanted.has(device))
  const commands = [
    ...old.map((device) => ['--if-exists', 'del-port', 'br-int', device]),
    ...watched.flatMap(({ number, ip, tunnel, periodMs }) => {
      const device = `${watchDevice}${number}`
      const options = [
        `remote_ip=${ip}`,
        `local_ip=${tunnelEnd.ip}`,
        `key=${watchVni}`,
        ...(tunnel === 'vxlan' ? [`dst_port=${vxlanUdpPort}`] : []),
      ].map((option) => `options:${option}`)
      const bfd = ['enable=true', `min_tx=${periodMs}`, 'min_rx=1'].map((setting) => `bfd:${setting}`)
      return [
        ['--may-exist', 'add-port', 'br-int', device],
        ['set', 'interface', device, `type=${tunnel}`, `ofport_request=${number}`, ...options, ...bfd],
      ]
    }),
  ]
  if (commands.length > 0) await vsctl(instance, [], commands)
}

/** First parts of the names of the two ends of a patch between br-int and br-phy. */
const patch = { 'br-int': 'hfvlan', 'br-phy': 'hftag' } as const

/** Has br-int have these VLANs and no others: each by a patch to br-phy, whose flows take tags off and put them on. */
export async function patchVlans(instance: InstancePaths, vlans: readonly VlanPort[]): Promise<void> {
  const commands: string[][] = []
  for (const [bridge, other] of [
    ['br-int', 'br-phy'],
    ['br-phy', 'br-int'],
  ] as const) {
    const listed = await runOvs('ovs-vsctl', [`--db=unix:${instance.databaseSocket}`, '--timeout=8', 'list-ports', bridge])
    const wanted = new Set(vlans.map(({ number }) => `${patch[bridge]}${number}`))
    const old = listed.split('\n').filter((device) => device.startsWith(patch[bridge]) && !wanted.has(device))
    commands.push(...old.map((device) => ['--if-exists', 'del-port', bridge, device]))
    for (const { number } of vlans) {
      const device = `${patch[bridge]}${number}`
      commands.push(
        ['--may-exist', 'add-port', bridge, device],
        ['set', 'interface', device, 'type=patch', `ofport_request=${number}`, `options:peer=${patch[other]}${number}`],
      )
    }
  }
  if (commands.length > 0) await vsctl(instance, [], commands)
}

/** A port that the switch has been told of. */
export interface KnownPort extends SwitchPort {
  /** OpenFlow port that it got; null: none. */
  openflowPort: number | null
  /** Index of the device when the switch was told of it. Where that was made anew under the same name, the switch holds on to the old one. */
  deviceIndex: number | null
  error: string | null
}

/** All ports of br-int that are to be devices of the kernel: guests' and the one for errors. */
export function devicePorts(guests: readonly SwitchPort[]): SwitchPort[] {
  return [reservedPorts.errors, ...guests]
}

/** The ports of br-int that are devices of the kernel. */
export async function readPorts(instance: InstancePaths): Promise<KnownPort[]> {
  const columns = ['name', 'type', 'ofport', 'ofport_request', 'external_ids', 'error']
  const listing = ['--format=json', `--columns=${columns.join(',')}`, 'list', 'Interface']
  const text = await runOvs('ovs-vsctl', [`--db=unix:${instance.databaseSocket}`, '--timeout=8', ...listing])
  return parsePorts(text)
}

/**
 * Reads the table Interface as `ovs-vsctl --format=json` prints it: an empty column is `["set", []]` there, a map `["map", [[key, value]]]`
 * (RFC 7047).
 */
export function parsePorts(text: string): KnownPort[] {
  const { data, headings } = JSON.parse(text) as { data: unknown[][]; headings: string[] }
  return data.flatMap((row) => {
    const column = (name: string): unknown => row[headings.indexOf(name)]
    const number = (name: string): number | null => (typeof column(name) === 'number' ? (column(name) as number) : null)
    const wanted = number('ofport_request')
    // Tunnels have a type, bridges no number; the NIC, on a bridge of its own, has the first.
    if (column('type') !== '' || wanted === null || wanted < reservedPorts.errors.number) return []
    const got = number('ofport')
    const error = column('error')
    const ids = new Map((column('external_ids') as [string, [string, string][]])[1])
    return [
      {
        device: column('name') as string,
        number: wanted,
        openflowPort: got !== null && got > 0 ? got : null,
        deviceIndex: Number(ids.get(deviceIndexKey)) || null,
        error: typeof error === 'string' ? error : null,
      },
    ]
  })
}

/** Takes ports out of a running switch and puts others in, and waits until it has them. */
export async function changePorts(instance: InstancePaths, { removed, added }: PortChanges): Promise<void> {
  const removals = removed.map(({ device }) => ['--if-exists', 'del-port', 'br-int', device])
  const additions = added.flatMap((port) => addPort('br-int', port))
  // What goes and comes back within one transaction would not be opened anew.
  const apart = removed.some(({ device }) => added.some((port) => port.device === device))
  for (const commands of apart ? [removals, additions] : [[...removals, ...additions]]) {
    if (commands.length > 0) await vsctl(instance, [], commands)
  }
}

export interface PortChanges {
  removed: SwitchPort[]
  added: SwitchPort[]
}

function addPort(bridge: string, { device, number }: SwitchPort): string[][] {
  return [
    ['--may-exist', 'add-port', bridge, device],
    ['set', 'interface', device, `ofport_request=${number}`, `external_ids:${deviceIndexKey}=${deviceIndex(device) ?? 0}`],
  ]
}
