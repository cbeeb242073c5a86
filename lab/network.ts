import { planes, type Plane } from '../core/model/common.ts'
import { planeMtuBytes, switchNames, type HostPlan, type LabPlan, type NicPlan, type SwitchName } from './plan.ts'
import { capture, run } from './run.ts'

/** Process ids (seen from the machine) whose network namespaces are the two switches. */
export type SwitchPids = Record<SwitchName, number>

/** Bridge of a plane inside a switch. Kernels without VLAN support have labs too, so a plane is a bridge of its own. */
function bridgeOf(plane: Plane): string {
  return `br-${plane}`
}

/** Runs lines of ip(8) inside the network namespace of a process; with `force` it goes on over lines that fail. */
async function ipBatch(pid: number, lines: readonly string[], options: { force?: boolean } = {}): Promise<void> {
  const argv = ['nsenter', '--target', String(pid), '--net', 'ip', ...(options.force ? ['-force'] : []), '-batch', '-']
  const input = `${lines.join('\n')}\n`
  if (options.force) await capture(argv, { input })
  else await run(argv, { input })
}

function plugLines(nic: NicPlan, hostPid: number): string[] {
  const mtu = planeMtuBytes[nic.plane]
  return [
    `link add name ${nic.port} mtu ${mtu} address ${nic.portMac} type veth peer name ${nic.plane} mtu ${mtu} address ${nic.mac} netns ${hostPid}`,
    `link set dev ${nic.port} master ${bridgeOf(nic.plane)}`,
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

/** Removes a host's ports with what is plugged in: a veth ends with its peer. Ports that are gone already are no failure. */
export async function removePorts(switchPids: SwitchPids, host: HostPlan): Promise<void> {
  await eachSwitch(host, async (name, nics) =>
    ipBatch(
      switchPids[name],
      nics.map((nic) => `link delete dev ${nic.port}`),
      { force: true },
    ),
  )
}

/** Plugs a host's NICs into their ports again after it was off. */
export async function plugHost(switchPids: SwitchPids, host: HostPlan, hostPid: number, cutPlanes: readonly Plane[]): Promise<void> {
  await removePorts(switchPids, host)
  await eachSwitch(host, async (name, nics) =>
    ipBatch(
      switchPids[name],
      nics.flatMap((nic) => [...plugLines(nic, hostPid), ...(cutPlanes.includes(nic.plane) ? [] : [`link set dev ${nic.port} up`])]),
    ),
  )
}

/** Leaves a host's ports without a cable: there, up, and with no carrier. The loose end of each is a device `cableN` that is down. */
export async function unplugHost(switchPids: SwitchPids, host: HostPlan): Promise<void> {
  await eachSwitch(host, async (name, nics) =>
    ipBatch(
      switchPids[name],
      nics.flatMap((nic) => [
        `link add name ${nic.port} mtu ${planeMtuBytes[nic.plane]} address ${nic.portMac} type veth peer name ${nic.port.replace('swp', 'cable')}`,
        `link set dev ${nic.port} master ${bridgeOf(nic.plane)} up`,
      ]),
    ),
  )
}

/** Sets the switch's side of a host's links up or down; the host sees its carrier come or go. */
export async function setPorts(switchPids: SwitchPids, host: HostPlan, whichPlanes: readonly Plane[], state: 'up' | 'down'): Promise<void> {
  await eachSwitch(host, async (name, nics) => {
    const lines = nics.filter((nic) => whichPlanes.includes(nic.plane)).map((nic) => `link set dev ${nic.port} ${state}`)
    // A port is gone when its host ended by itself; cutting it then is done already.
    if (lines.length > 0) await ipBatch(switchPids[name], lines, { force: state === 'down' })
  })
}

/** How many of a host's ports still exist in the switches; each goes with the NIC at its other end. */
export async function portsLeft(switchPids: SwitchPids, host: HostPlan): Promise<number> {
  let left = 0
  await eachSwitch(host, async (name, nics) => {
    const out = await run(['nsenter', '--target', String(switchPids[name]), '--net', 'ip', '-json', 'link', 'show'])
    const names = (JSON.parse(out) as { ifname: string }[]).map((link) => link.ifname)
    left += nics.filter((nic) => names.includes(nic.port)).length
  })
  return left
}

async function eachSwitch(host: HostPlan, work: (name: SwitchName, nics: NicPlan[]) => Promise<void>): Promise<void> {
  await Promise.all(
    switchNames.map(async (name) => {
      const nics = Object.values(host.nics).filter((nic) => nic.switchName === name)
      if (nics.length > 0) await work(name, nics)
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
