import { readFileSync } from 'node:fs'
import type { Network, Port, VirtualNetwork } from '../../core/model/network.ts'
import type { Guest } from './guests.ts'

/** The host's end of a port's cable. */
export function deviceOf(port: Port): string {
  return `hf${port.number}`
}

/** The light guests that a host is to have. */
export function guestsOf(network: VirtualNetwork, host: string): Guest[] {
  const networks = new Map(network.networks.map((one) => [one.name, one]))
  return network.ports.flatMap((port) => (port.host === host && port.attach.kind === 'netns' ? [guestOf(port, networks.get(port.network)!)] : []))
}

function guestOf(port: Port, { subnet, subnet6, gateway, gateway6, mtuBytes }: Network): Guest {
  const withLength = (ip: string, cidr: string): string => `${ip}/${cidr.split('/')[1]}`
  const six = port.ip6 !== undefined && subnet6 !== undefined
  return {
    name: port.name,
    device: deviceOf(port),
    mac: port.mac,
    addresses: [withLength(port.ip, subnet), ...(six ? [withLength(port.ip6!, subnet6)] : [])],
    gateways: [...(gateway === undefined ? [] : [gateway]), ...(six && gateway6 !== undefined ? [gateway6] : [])],
    mtuBytes,
  }
}

/** Ports of a host that have no device, or one without a carrier. */
export function portsDown(network: VirtualNetwork, host: string): string[] {
  return network.ports.filter((port) => port.host === host && !hasCarrier(deviceOf(port))).map((port) => port.name)
}

function hasCarrier(device: string): boolean {
  try {
    return readFileSync(`/sys/class/net/${device}/carrier`, 'utf8').trim() === '1'
  } catch {
    // No such device, or it is not up: then the carrier cannot be read.
    return false
  }
}
