import { planes } from '../core/model/common.ts'
import { planeMtuBytes, switchNames, type HostPlan, type LabPlan, type NicPlan, type Segment, type SwitchName } from './plan.ts'
import { capture, run } from './run.ts'

/** Process ids (seen from the machine) whose network namespaces are the two switches. */
export type SwitchPids = Record<SwitchName, number>

/** Bridge of a plane or a VLAN inside a switch. Kernels without VLAN support have labs too, so each is a bridge of its own. */
export function bridgeOf(segment: Segment): string {
  return `br-${segment}`
}

function mtuBytesOf(segment: Segment): number {
  return segment === 'mgmt' || segment === 'storage' ? planeMtuBytes[segment] : planeMtuBytes.tenant
}

/** Runs lines of ip(8) inside the network namespace of a process; with `force` it goes on over lines that fail. */
export async function ipBatch(pid: number, lines: readonly string[], options: { force?: boolean } = {}): Promise<void> {
  const argv = ['nsenter', '--target', String(pid), '--net', 'ip', ...(options.force ? ['-force'] : []), '-batch', '-']
  const input = `${lines.join('\n')}\n`
  if (options.force) await capture(argv, { input })
  else await run(argv, { input })
}

/** How a port begins that is made by ip(8). A port and what hangs on it are one group, numbered as the port is: they go up and down together. */
function portWords(nic: NicPlan): string {
  return `name ${nic.port} group ${nic.number} mtu ${mtuBytesOf(nic.segment)} address ${nic.portMac} type veth`
}

function plugLines(nic: NicPlan, machinePid: number): string[] {
  return [
    `link add ${portWords(nic)} peer name ${nic.device} mtu ${mtuBytesOf(nic.segment)} address ${nic.mac} netns ${machinePid}`,
    `link set dev ${nic.port} master ${bridgeOf(nic.segment)}`,
  ]
}

/** Makes the bridges, the trunk and the laptop's link, and plugs in the NICs of the given hosts. Ports of cut planes stay down. */
export async function wireSwitches(plan: LabPlan, switchPids: SwitchPids, hosts: readonly { plan: HostPlan; pid: number }[]): Promise<void> {
  await Promise.all(
    switchNames.map(async (name) => {
      const { address, mac } = plan.switches[name]
      const lines = ['link set dev lo up']
      for (const plane of planes) {
        lines.push(`link add name ${bridgeOf(plane)} mtu ${planeMtuBytes[plane]} address ${mac} type bridge stp_state 0 mcast_snooping 0`)
        lines.push(`link set dev ${bridgeOf(plane)} up`)
      }
      lines.push(`address add ${address}/24 dev ${bridgeOf('mgmt')}`)
      for (const host of hosts) {
        for (const nic of Object.values(host.plan.nics)) {
          if (nic.switchName === name) lines.push(...plugLines(nic, host.pid), `link set dev ${nic.port} up`)
        }
      }
      await ipBatch(switchPids[name], lines)
    }),
  )
  const lines: string[] = []
  for (const plane of planes) {
    const { tor1, tor2 } = plan.trunk[plane]
    const mtu = planeMtuBytes[plane]
    lines.push(
      `link add name ${tor1.port} mtu ${mtu} address ${tor1.portMac} type veth ` +
        `peer name ${tor2.port} mtu ${mtu} address ${tor2.portMac} netns ${switchPids.tor2}`,
      `link set dev ${tor1.port} master ${bridgeOf(plane)} up`,
    )
  }
  const { laptop } = plan
  lines.push(
    `link add name ${laptop.port} address ${laptop.portMac} type veth peer name ${laptop.nic} address ${laptop.mac} netns ${process.pid}`,
    `link set dev ${laptop.port} master ${bridgeOf('mgmt')} up`,
  )
  await ipBatch(switchPids.tor1, lines)
  await ipBatch(
    switchPids.tor2,
    planes.map((plane) => `link set dev ${plan.trunk[plane].tor2.port} master ${bridgeOf(plane)} up`),
  )
  await run(['ip', '-batch', '-'], {
    input: `link set dev ${laptop.nic} up\naddress add ${laptop.address}/24 dev ${laptop.nic}\nroute replace ${fallbackRoute(plan)}\n`,
  })
}

/** What the machine does with the lab's packets while its own link to it is cut: they must not leave by the default route. In ip-route(8)'s words. */
export function fallbackRoute(plan: LabPlan): string {
  return `unreachable ${plan.prefixes.mgmt}.0/24 metric 65535`
}

/** The lines of ip(8) with which a host sets up its own NICs at boot. */
export function hostNetworkLines(host: HostPlan): string[] {
  return [
    'link set dev lo up',
    ...Object.values(host.nics).flatMap(({ plane, address }) => [`link set dev ${plane} up`, `address add ${address}/24 brd + dev ${plane}`]),
  ]
}

/** Removes ports with what is plugged in: a veth ends with its peer. Ports that are gone already are no failure. */
export async function removePorts(switchPids: SwitchPids, nics: readonly NicPlan[]): Promise<void> {
  await eachSwitch(nics, async (name, its) =>
    ipBatch(
      switchPids[name],
      its.map((nic) => `link delete dev ${nic.port}`),
      { force: true },
    ),
  )
}

/** Plugs a machine's NICs into their ports, again after it was off. Ports of the devices in `cut` stay down. */
export async function plugNics(switchPids: SwitchPids, nics: readonly NicPlan[], machinePid: number, cut: readonly string[]): Promise<void> {
  await removePorts(switchPids, nics)
  await eachSwitch(nics, async (name, its) =>
    ipBatch(
      switchPids[name],
      its.flatMap((nic) => [...plugLines(nic, machinePid), ...(cut.includes(nic.device) ? [] : [`link set group ${nic.number} up`])]),
    ),
  )
}

/** Leaves ports without a cable: there, up, and with no carrier. The loose end of each is a device `cableN` that is down. */
export async function unplugNics(switchPids: SwitchPids, nics: readonly NicPlan[]): Promise<void> {
  await eachSwitch(nics, async (name, its) =>
    ipBatch(
      switchPids[name],
      its.flatMap((nic) => [
        `link add ${portWords(nic)} peer name ${nic.port.replace('swp', 'cable')}`,
        `link set dev ${nic.port} master ${bridgeOf(nic.segment)} up`,
      ]),
    ),
  )
}

/** Sets the switch's side of links up or down, with what the port carries of VLANs; the machine sees its carrier come or go. */
export async function setPorts(switchPids: SwitchPids, nics: readonly NicPlan[], state: 'up' | 'down'): Promise<void> {
  await eachSwitch(nics, async (name, its) => {
    // A port is gone when its machine ended by itself; cutting it then is done already.
    await ipBatch(
      switchPids[name],
      its.map((nic) => `link set group ${nic.number} ${state}`),
      { force: state === 'down' },
    )
  })
}

/** How many of these ports still exist in the switches; each goes with the NIC at its other end. */
export async function portsLeft(switchPids: SwitchPids, nics: readonly NicPlan[]): Promise<number> {
  let left = 0
  await eachSwitch(nics, async (name, its) => {
    const interfaces = await interfacesOf(switchPids[name])
    left += its.filter((nic) => interfaces.has(nic.port)).length
  })
  return left
}

/** Numbers of a switch's interfaces by name. */
export async function interfacesOf(switchPid: number): Promise<Map<string, number>> {
  const out = await run(['nsenter', '--target', String(switchPid), '--net', 'ip', '-json', 'link', 'show'])
  return new Map((JSON.parse(out) as { ifname: string; ifindex: number }[]).map(({ ifname, ifindex }) => [ifname, ifindex]))
}

async function eachSwitch(nics: readonly NicPlan[], work: (name: SwitchName, its: NicPlan[]) => Promise<void>): Promise<void> {
  await Promise.all(
    switchNames.map(async (name) => {
      const its = nics.filter((nic) => nic.switchName === name)
      if (its.length > 0) await work(name, its)
    }),
  )
}

/** IPv4 networks that the machine has addresses in or routes to, as CIDR. */
export async function machineNetworks(): Promise<string[]> {
  const routes = JSON.parse(await run(['ip', '-json', '-4', 'route', 'show', 'table', 'all'])) as { dst: string }[]
  const links = JSON.parse(await run(['ip', '-json', '-4', 'address', 'show'])) as { addr_info?: { local?: string; prefixlen?: number }[] }[]
  const addresses = links.flatMap((link) => (link.addr_info ?? []).map((info) => `${info.local}/${info.prefixlen}`))
  return [...routes.map((route) => (route.dst === 'default' ? '0.0.0.0/0' : route.dst)), ...addresses]
}
