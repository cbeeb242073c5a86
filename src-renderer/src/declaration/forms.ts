import { defaultBroadcastMode, type BroadcastMode, type Network } from '../../../core/model/network.ts'
import { formatIp, parseCidr } from '../../../core/net/address.ts'
import type { DeclaredItem } from './yaml-edit.ts'

/*
 * Small forms for objects of a declaration: what is typed, as text, and what it is in the declaration. Only what would make no object at
 * all is refused here: whether it fits the network is the planner's to say, at its line.
 */

export interface NetworkForm {
  name: string
  vpc: string
  subnet: string
  gateway: string
  subnet6: string
  gateway6: string
  /** Router to attach it to; blank: none. */
  router: string
  broadcast: BroadcastMode
}

export interface PortForm {
  name: string
  network: string
  ip: string
  ip6: string
  /** Blank, of a port in a VLAN: a gateway is chosen. */
  host: string
  attach: 'netns' | 'vm' | 'vlan' | 'remote'
  vm: string
  nic: string
  vlan: string
}

export interface AclForm {
  name: string
  target: 'network' | 'port'
  targetName: string
  direction: 'in' | 'out'
  action: 'allow' | 'drop'
  priority: string
  proto: string
  src: string
  dst: string
  sport: string
  dport: string
  stateful: boolean
  log: boolean
}

/** Keys in the order given, without those that are blank. */
export const filled = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '' && value !== undefined))

/** A number where it is one, otherwise what was typed, for the planner to refuse. */
export const numeric = (text: string): number | string => (/^\d+$/.test(text.trim()) ? Number(text) : text.trim())

export const networkItem = ({ name, vpc, subnet, gateway, subnet6, gateway6, broadcast }: NetworkForm): DeclaredItem =>
  filled({
    ...trimmed({ name, vpc, subnet, gateway, subnet6, gateway6 }),
    broadcast: broadcast === defaultBroadcastMode ? undefined : broadcast,
  }) as DeclaredItem

export function portItem(form: PortForm): DeclaredItem {
  const { name, network, ip, ip6, host, vm, nic, vlan } = trimmed({ ...form })
  const details = { netns: {}, vm: { vm }, vlan: { nic, vlan: numeric(vlan!) }, remote: {} }[form.attach]
  const attach = { kind: form.attach, ...details }
  return filled({ name, network, ip, ip6, host, attach }) as DeclaredItem
}

export function aclItem(form: AclForm): DeclaredItem {
  const { name, targetName, proto, src, dst, sport, dport, priority } = trimmed({ ...form })
  const match = filled({ proto: proto === '' ? '' : numeric(proto!), src, dst, sport: portsOf(sport!), dport: portsOf(dport!) })
  return {
    ...filled({ name, [form.target]: targetName, direction: form.direction, priority: numeric(priority!), match, action: form.action }),
    ...(!form.stateful && { stateful: false }),
    ...(form.log && { log: true }),
  } as DeclaredItem
}

export function trimmed<T extends Record<string, unknown>>(fields: T): { [K in keyof T]: T[K] extends string ? string : T[K] } {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, typeof value === 'string' ? value.trim() : value])) as never
}

/** `443` or both ends of a range, `8000-8099`. */
function portsOf(text: string): number | string | [number, number] {
  const range = /^(\d+)\s*[-–]\s*(\d+)$/.exec(text)
  return range ? [Number(range[1]), Number(range[2])] : text === '' ? '' : numeric(text)
}

export const blankAcl = (target: AclForm['target'], targetName: string): AclForm => ({
  ...{ name: '', target, targetName, direction: 'in', action: 'drop', priority: '100' },
  ...{ proto: 'tcp', src: '', dst: '', sport: '', dport: '', stateful: true, log: false },
})

/** The form of an ACL that a declaration has. */
export function aclFormOf(item: DeclaredItem): AclForm {
  const match = (typeof item.match === 'object' && item.match !== null ? item.match : {}) as Record<string, unknown>
  const text = (value: unknown): string => (value === undefined || value === null ? '' : Array.isArray(value) ? value.join('-') : String(value))
  const target = item.port === undefined ? 'network' : 'port'
  return {
    ...{ name: item.name, target, targetName: text(item[target]) },
    ...{ direction: item.direction === 'out' ? 'out' : 'in', action: item.action === 'allow' ? 'allow' : 'drop', priority: text(item.priority) },
    ...{ proto: text(match.proto), src: text(match.src), dst: text(match.dst), sport: text(match.sport), dport: text(match.dport) },
    ...{ stateful: item.stateful !== false, log: item.log === true },
  }
}

/** Whether a name can be one: lower-case letters, digits and dashes, a letter or digit at both ends, at most 63. */
export const isName = (text: string): boolean => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text.trim())

/** The first address of a network that nobody has: not its own, not its broadcast, not its gateway's; blank where there is none. */
export function nextAddress({ subnet, gateway }: Pick<Network, 'subnet' | 'gateway'>, taken: Iterable<string>): string {
  const cidr = parseCidr(subnet)
  if (!cidr) return ''
  const used = new Set([...taken, gateway])
  const from = cidr.first + 11n < cidr.last ? cidr.first + 11n : cidr.first + 1n
  for (const [begin, end] of [
    [from, cidr.last],
    [cidr.first + 1n, from],
  ] as const) {
    for (let value = begin; value < end && value - begin < 70_000n; value++) {
      const ip = formatIp({ family: 4, value })
      if (!used.has(ip)) return ip
    }
  }
  return ''
}

/** The first name `stem-N` that nobody has. */
export function nextName(stem: string, taken: ReadonlySet<string>): string {
  for (let n = 1; ; n++) if (!taken.has(`${stem}-${n}`)) return `${stem}-${n}`
}

/** The first address of a subnet, which is what gateways mostly have; blank for a text that is none. */
export function firstAddress(subnet: string): string {
  const cidr = parseCidr(subnet.trim())
  return cidr && cidr.first + 1n < cidr.last ? formatIp({ family: cidr.family, value: cidr.first + 1n }) : ''
}
