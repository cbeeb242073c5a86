import { readdirSync, readFileSync } from 'node:fs'
import type { Network, Port, VirtualNetwork } from '../../core/model/network.ts'
import type { VipPlace } from '../../core/net/compile/view.ts'
import { vlansOf, type Vlan } from '../../core/net/compile/vlans.ts'
import type { Guest } from './guests.ts'

/** The host's end of a port's cable. */
export function deviceOf(port: Port): string {
  return `hf${port.number}`
}

/** The light guests that a host is to have. `owners`: where floating addresses are, by VIP; the platform gives them to guests as VIPs with a `healthCheck` say. */
export function guestsOf(network: VirtualNetwork, host: string, owners: ReadonlyMap<string, VipPlace>): Guest[] {
  const networks = new Map(network.networks.map((one) => [one.name, one]))
  return network.ports.flatMap((port) =>
    port.host === host && port.attach.kind === 'netns' ? [guestOf(port, networks.get(port.network)!, floatingAt(port, network, owners))] : [],
  )
}

function floatingAt(port: Port, { vips }: VirtualNetwork, owners: ReadonlyMap<string, VipPlace>): string[] {
  const own = vips.filter(({ name, network, ports, healthCheck }) => {
    return healthCheck && network === port.network && ports.includes(port.name) && owners.get(name)?.port === port.name
  })
  return own.map(({ ip }) => `${ip}/${ip.includes(':') ? 128 : 32}`)
}

function guestOf(port: Port, { subnet, subnet6, gateway, gateway6, mtuBytes }: Network, floating: string[]): Guest {
  const withLength = (ip: string, cidr: string): string => `${ip}/${cidr.split('/')[1]}`
  const six = port.ip6 !== undefined && subnet6 !== undefined
  return {
    name: port.name,
    device: deviceOf(port),
    mac: port.mac,
    addresses: [withLength(port.ip, subnet), ...(six ? [withLength(port.ip6!, subnet6)] : [])],
    floating,
    gateways: [...(gateway === undefined ? [] : [gateway]), ...(six && gateway6 !== undefined ? [gateway6] : [])],
    mtuBytes,
  }
}

/** Ports whose devices a host is to have: those on it and, of each VLAN that it is a gateway of, the first, whose device is the VLAN's. */
function portsWithDevices(network: VirtualNetwork, host: string): Port[] {
  return [
    ...network.ports.filter((port) => port.host === host && port.attach.kind !== 'vlan'),
    ...vlansAt(network, host).map(({ ports }) => ports[0]!),
  ]
}

/** The VLANs that a host is a gateway of. */
export function vlansAt(network: VirtualNetwork, host: string): Vlan[] {
  return network.hosts.some(({ name, roles }) => name === host && roles.includes('gateway'))
    ? vlansOf(network).filter(({ gateways }) => gateways.includes(host))
    : []
}

/** Of those, the ones whose devices are there: not those of a VM that does not run. */
export function pluggedPorts(network: VirtualNetwork, host: string): Port[] {
  const devices = new Set(readdirSync('/sys/class/net'))
  return portsWithDevices(network, host).filter((port) => devices.has(deviceOf(port)))
}

/** Ports of a host that have no device, or one without a carrier. */
export function portsDown(network: VirtualNetwork, host: string): string[] {
  const up = new Set(pluggedPorts(network, host).filter((port) => hasCarrier(deviceOf(port))))
  for (const { nic, ports } of vlansAt(network, host)) if (hasCarrier(nic)) for (const port of ports) up.add(port)
  return network.ports.filter((port) => port.host === host && !up.has(port)).map((port) => port.name)
}

/** Whether a device is there, is up and has a carrier. */
export function hasCarrier(device: string): boolean {
  try {
    return readFileSync(`/sys/class/net/${device}/carrier`, 'utf8').trim() === '1'
  } catch {
    // No such device, or it is not up: then the carrier cannot be read.
    return false
  }
}
