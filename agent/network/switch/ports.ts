import { runOvs } from './ovs-programs.ts'
import type { DesiredSwitch, SwitchPort } from './desired-switch.ts'
import type { InstancePaths } from './switch-paths.ts'

/** OpenFlow ports of br-int that every switch has; guests' come after. */
export const reservedPorts = {
  vxlan: { device: 'vx0', number: 1 },
  gre: { device: 'gre0', number: 2 },
  errors: { device: 'hf-icmp', number: 3 },
} as const

/** Lowest number of a port of `DesiredSwitch`. */
export const firstGuestPort = 16

/** UDP port of VXLAN, RFC 7348. */
export const vxlanUdpPort = 4789

/**
 * User space forwards in the data path that Open vSwitch calls `dummy`: it is `netdev`, the same code, but bridges have no device of the
 * kernel. So two ovs-vswitchd can stand side by side on one host, which with `netdev` would both claim the device `ovs-netdev`; the host
 * does not get a second device with the address of its NIC; and there are no such devices to be polled for packets.
 */
const userspaceType = 'dummy'

/** One command to ovs-vsctl(8): all of it in one transaction. */
async function vsctl(instance: InstancePaths, options: readonly string[], commands: readonly string[][]): Promise<string> {
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
      ...addPort('br-int', reservedPorts.errors),
      ...ports.flatMap((port) => addPort('br-int', port)),
      ...(datapath === 'userspace' ? underlay : []),
    ],
  )
}

/** Lets a switch in the kernel take its packets that match no flow of the kernel's; until then it leaves alone what its predecessor put there. */
export async function endFlowRestore(instance: InstancePaths): Promise<void> {
  await vsctl(instance, [], [['remove', 'Open_vSwitch', '.', 'other_config', 'flow-restore-wait']])
}

/** A guest's or other port that the switch has been told of. */
export interface KnownPort extends SwitchPort {
  /** OpenFlow port that it got; null: none. */
  openflowPort: number | null
  /** Index of the device that it took; it differs from the device's when that was made anew under the same name. */
  deviceIndex: number | null
  error: string | null
}

/** The ports of br-int that are devices of the kernel, without the reserved ones. */
export async function readPorts(instance: InstancePaths): Promise<KnownPort[]> {
  const columns = ['name', 'type', 'ofport', 'ofport_request', 'ifindex', 'error']
  const listing = ['--format=json', `--columns=${columns.join(',')}`, 'list', 'Interface']
  const text = await runOvs('ovs-vsctl', [`--db=unix:${instance.databaseSocket}`, '--timeout=8', ...listing])
  return parsePorts(text)
}

/** Reads the table Interface as `ovs-vsctl --format=json` prints it; an empty column is `["set", []]` there (RFC 7047). */
export function parsePorts(text: string): KnownPort[] {
  const { data, headings } = JSON.parse(text) as { data: unknown[][]; headings: string[] }
  const reserved: string[] = Object.values(reservedPorts).map(({ device }) => device)
  return data.flatMap((row) => {
    const column = (name: string): unknown => row[headings.indexOf(name)]
    const number = (name: string): number | null => (typeof column(name) === 'number' ? (column(name) as number) : null)
    const device = column('name') as string
    const wanted = number('ofport_request')
    // A guest's port has a number that no reserved port and no NIC of br-phy has.
    if (column('type') !== '' || wanted === null || wanted < firstGuestPort || reserved.includes(device)) return []
    const got = number('ofport')
    const error = column('error')
    return [
      {
        device,
        number: wanted,
        openflowPort: got !== null && got > 0 ? got : null,
        deviceIndex: number('ifindex') || null,
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
    ['set', 'interface', device, `ofport_request=${number}`],
  ]
}
