import { planes, type Plane } from '../core/model/common.ts'

/** Most hosts that a lab can have. */
export const maxHosts = 7

/** Labs that fit side by side into the address range: three /24 each out of 10.83.0.0/16. */
export const maxSlots = 85

export type SwitchName = 'tor1' | 'tor2'
export const switchNames = ['tor1', 'tor2'] as const

/** MTU of each plane's links. */
export const planeMtuBytes: Record<Plane, number> = { mgmt: 1500, storage: 9000, tenant: 9000 }

/** What a port of a switch is in without a tag: a plane, or a VLAN of the tenant plane. */
export type Segment = Plane | `vlan${number}`

/** A port of a switch. */
export interface PortPlan {
  /** 1 for `swp1`. */
  number: number
  /** Its interface, e.g. `swp3`. */
  port: string
  portMac: string
}

/** One NIC of a machine, and where it is plugged in. */
export interface NicPlan extends PortPlan {
  /** Its interface in the machine. */
  device: string
  mac: string
  switchName: SwitchName
  segment: Segment
}

/** A NIC of a host: its interface has the plane's name. */
export interface HostNicPlan extends NicPlan {
  plane: Plane
  address: string
}

export interface HostPlan {
  name: string
  nics: Record<Plane, HostNicPlan>
}

/** Which of the machines that were added to a lab one is, and what it is plugged into. */
export interface AddedPlan {
  /** 1 to `maxAdded`. */
  number: number
  switchName: SwitchName
  /** Of its access port, for a physical server; null for a plain host, which is on the tenant plane. */
  vlan: number | null
  mac: string
}

export interface SwitchPlan {
  name: SwitchName
  /** Address on the mgmt plane, where its SNMP agent answers. */
  address: string
  mac: string
}

/** Every name and number of a lab, computed from its slot alone. */
export interface LabPlan {
  slot: number
  /** First three octets of each plane's /24. */
  prefixes: Record<Plane, string>
  clusterIp: string
  hosts: HostPlan[]
  switches: Record<SwitchName, SwitchPlan>
  /** The trunk between the switches, a link a plane: both ends. */
  trunk: Record<Plane, Record<SwitchName, PortPlan>>
  /** The laptop's port on tor1, and its NIC: an interface of the machine's own network namespace, on mgmt. */
  laptop: PortPlan & { nic: string; mac: string; address: string }
}

const trunkPorts: Record<Plane, number> = { mgmt: 15, storage: 16, tenant: 17 }
const laptopPort = 18

/** Most machines that can be added to a lab. */
export const maxAdded = 40

function hex(value: number): string {
  return value.toString(16).padStart(2, '0')
}

/** A locally administered MAC: slot of the lab, kind of owner, its number, and the interface's number on it. */
function macOf(slot: number, kind: number, owner: number, nic: number): string {
  return ['02', '83', hex(slot), hex(kind), hex(owner), hex(nic)].join(':')
}

function switchNumber(name: SwitchName): number {
  return switchNames.indexOf(name) + 1
}

function portOf(slot: number, switchName: SwitchName, number: number): PortPlan {
  return { number, port: `swp${number}`, portMac: macOf(slot, 2, switchNumber(switchName), number) }
}

/** mgmt goes to tor1, storage to tor2, tenant to one after the other, so that the trunk carries traffic. */
function switchOf(plane: Plane, hostNumber: number): SwitchName {
  if (plane === 'mgmt') return 'tor1'
  if (plane === 'storage') return 'tor2'
  return hostNumber % 2 === 1 ? 'tor1' : 'tor2'
}

function byPlane<T>(of: (plane: Plane, index: number) => T): Record<Plane, T> {
  return Object.fromEntries(planes.map((plane, index) => [plane, of(plane, index)])) as Record<Plane, T>
}

/** The plan of a lab of `hostCount` hosts (1 to 7) in `slot` (0 to 84). Labs in different slots share no address, MAC or device name. */
export function planLab(slot: number, hostCount: number): LabPlan {
  const prefixes = byPlane((_, index) => `10.83.${slot * 3 + index}`)
  const hosts = Array.from({ length: hostCount }, (_, index): HostPlan => {
    const number = index + 1
    const nics = byPlane((plane, planeIndex): HostNicPlan => {
      const switchName = switchOf(plane, number)
      const port = portOf(slot, switchName, plane === 'tenant' ? maxHosts + number : number)
      const mac = macOf(slot, 1, number, planeIndex + 1)
      return { plane, address: `${prefixes[plane]}.${10 + number}`, device: plane, mac, switchName, segment: plane, ...port }
    })
    return { name: `h${number}`, nics }
  })
  return {
    slot,
    prefixes,
    clusterIp: `${prefixes.mgmt}.100/24`,
    hosts,
    switches: {
      tor1: { name: 'tor1', address: `${prefixes.mgmt}.2`, mac: macOf(slot, 2, 1, 0) },
      tor2: { name: 'tor2', address: `${prefixes.mgmt}.3`, mac: macOf(slot, 2, 2, 0) },
    },
    trunk: byPlane((plane) => ({ tor1: portOf(slot, 'tor1', trunkPorts[plane]), tor2: portOf(slot, 'tor2', trunkPorts[plane]) })),
    laptop: { ...portOf(slot, 'tor1', laptopPort), nic: `hflab${slot}`, mac: macOf(slot, 3, 0, 1), address: `${prefixes.mgmt}.1` },
  }
}

/** The MAC that the added machine of this number has where no other was asked for. */
export function addedMac(slot: number, number: number): string {
  return macOf(slot, 4, number, 1)
}

/** The address of a plain host on the tenant plane, beyond those of hosts. */
export function plainAddress({ prefixes }: LabPlan, number: number): string {
  return `${prefixes.tenant}.${50 + number}`
}

/** The one NIC of an added machine: `eth0` of a physical server, `tenant` of a plain host. */
export function addedNic(slot: number, { number, switchName, vlan, mac }: AddedPlan): NicPlan {
  const port = portOf(slot, switchName, laptopPort + number)
  return vlan === null
    ? { device: 'tenant', mac, switchName, segment: 'tenant', ...port }
    : { device: 'eth0', mac, switchName, segment: `vlan${vlan}`, ...port }
}

function ipv4Number(address: string): number {
  return address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0)
}

/** Whether an IPv4 network in CIDR form shares an address with `10.83.X.0/24` of the slot's three planes. The default route shares with nothing. */
export function slotMeets(slot: number, cidr: string): boolean {
  const [address = '', bits = '32'] = cidr.split('/')
  const length = Number(bits)
  if (length === 0 || !/^\d+(\.\d+){3}$/.test(address)) return false
  const size = 2 ** (32 - length)
  const first = Math.floor(ipv4Number(address) / size) * size
  const slotFirst = ipv4Number(`10.83.${slot * 3}.0`)
  return first < slotFirst + 3 * 256 && slotFirst < first + size
}

/** The lowest slot that meets none of the machine's networks and belongs to no other lab, or null. */
export function freeSlot(machineCidrs: readonly string[], takenSlots: readonly number[]): number | null {
  for (let slot = 0; slot < maxSlots; slot++) {
    if (!takenSlots.includes(slot) && !machineCidrs.some((cidr) => slotMeets(slot, cidr))) return slot
  }
  return null
}
