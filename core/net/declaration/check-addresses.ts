import type { Port } from '../../model/network.ts'
import { cidrHasIp, cidrsOverlap, formatCidr, formatIp, parseCidr, parseIp, type Family } from '../address.ts'
import type { Draft, DraftNetwork } from './draft.ts'
import type { Place } from './problems.ts'
import type { NetworkKind } from './schema.ts'

/** Space that no host on a network can have addresses of (RFC 6890, RFC 4291): this host, loopback, link-local, multicast, reserved. */
export const unusable = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/8', 'fe80::/10', 'ff00::/8'].map((text) => parseCidr(text)!)
/** Longest prefixes with room for a gateway and a port beside the first and the last address. */
const longestPrefix = { 4: 30, 6: 126 } as const

/** Whether networks, ports and VIPs have addresses and numbers that can be theirs, and theirs alone. */
export function checkAddresses(draft: Draft): void {
  for (const network of draft.networks.values()) checkNetwork(draft, network)
  for (const networks of Map.groupBy(draft.networks.values(), (network) => network.vpc).values()) {
    for (const family of [4, 6] as const) checkOverlaps(draft, networks, family)
  }
  checkVnis(draft)
  for (const port of draft.network.ports) checkPort(draft, port)
  for (const network of draft.networks.values()) checkDuplicateAddresses(draft, network)
  checkMacs(draft)
}

/** A prefix is written by its first address. */
export function checkCidr(draft: Draft, kind: NetworkKind, name: string, field: Place, text: string): void {
  const right = formatCidr(parseCidr(text)!)
  if (right !== text) draft.report(kind, name, field, `${text} has bits set behind its length: it is an address, not a network`, `Write ${right}.`)
}

function checkNetwork(draft: Draft, network: DraftNetwork): void {
  const { name } = network
  for (const prefix of network.prefixes) {
    const field = prefix.family === 4 ? 'subnet' : 'subnet6'
    const longest = longestPrefix[prefix.family]
    checkCidr(draft, 'network', name, [field], network[field]!)
    if (prefix.prefixLength > longest) {
      draft.report('network', name, [field], `${network[field]} has no room for a gateway and a port`, `Make it a /${longest} or larger.`)
    }
    const space = unusable.find((each) => cidrsOverlap(each, prefix))
    if (space) {
      const remedy = `Take it from space for networks, such as ${prefix.family === 4 ? '10.0.0.0/8 (RFC 1918)' : 'fd00::/8 (RFC 4193)'}.`
      draft.report('network', name, [field], `${network[field]} overlaps ${formatCidr(space)}, which no port can have an address of`, remedy)
    }
  }
  for (const field of ['gateway', 'gateway6'] as const) {
    if (network[field] !== undefined) checkUsable(draft, 'network', name, field, network[field], network)
  }
}

/** A port's, gateway's or VIP's address is one of its network's, but not the first or last. */
export function checkUsable(draft: Draft, kind: NetworkKind, name: string, field: string, text: string, network: DraftNetwork): void {
  const ip = parseIp(text)!
  const { family } = ip
  const prefix = network.prefixes.find((each) => each.family === family)
  if (!prefix) {
    const remedy = `Give network ${network.name} a subnet6, or ${field === 'ip' ? 'write an IPv4 address' : `leave out ${field}`}.`
    draft.report(kind, name, [field], `${text} is an IPv6 address, but network ${network.name} has no subnet6`, remedy)
    return
  }
  const [first, last] = [prefix.first + 1n, family === 4 ? prefix.last - 1n : prefix.last]
  if (prefix.prefixLength > longestPrefix[family] || (first <= ip.value && ip.value <= last)) return
  const subnet = formatCidr(prefix)
  const meaning = !cidrHasIp(prefix, ip)
    ? `outside ${subnet}, the subnet of network ${network.name}`
    : ip.value === prefix.last
      ? `the broadcast address of ${subnet}`
      : `the first address of ${subnet}, ${family === 4 ? 'which stands for the network itself' : 'the anycast address of its routers (RFC 4291)'}`
  const remedy = `Choose one from ${formatIp({ family, value: first })} to ${formatIp({ family, value: last })}.`
  draft.report(kind, name, [field], `${text} is ${meaning}`, remedy)
}

/** Sorted by their first address, prefixes that overlap come with the widest first. */
function checkOverlaps(draft: Draft, networks: readonly DraftNetwork[], family: Family): void {
  const order = new Map(networks.map((network, index) => [network, index]))
  const entries = networks.flatMap((network) => network.prefixes.filter((prefix) => prefix.family === family).map((prefix) => ({ network, prefix })))
  entries.sort(({ prefix: a }, { prefix: b }) => (a.first < b.first ? -1 : a.first > b.first ? 1 : a.prefixLength - b.prefixLength))
  let wide: (typeof entries)[number] | undefined
  for (const entry of entries) {
    if (!wide || !cidrsOverlap(wide.prefix, entry.prefix)) {
      wide = entry
      continue
    }
    const [earlier, later] = order.get(wide.network)! < order.get(entry.network)! ? [wide, entry] : [entry, wide]
    const message = `${formatCidr(later.prefix)} overlaps ${formatCidr(earlier.prefix)} of network ${earlier.network.name}, in the same VPC ${earlier.network.vpc}`
    draft.report('network', later.network.name, [family === 4 ? 'subnet' : 'subnet6'], message, 'Choose a subnet that is free there, or another VPC.')
  }
}

/** Of two with the same VNI the one that the document says it of is reported. */
function checkVnis(draft: Draft): void {
  const owners = new Map<number, string>()
  const [said, others] = partition(draft.whole.networks, ({ name }) => draft.says('network', name, 'vni'))
  for (const { name, vni } of [...others, ...said]) {
    const owner = owners.get(vni)
    if (owner === undefined) owners.set(vni, name)
    else draft.report('network', name, ['vni'], `VNI ${vni} is that of network ${owner}`, 'Choose another, or leave vni out to have one assigned.')
  }
}

function checkPort(draft: Draft, port: Port): void {
  const { name, network: networkName, ip, ip6, allow } = port
  const network = draft.networks.get(networkName)
  if (!network) draft.reportMissing('port', name, ['network'], { kind: 'network', name: networkName })
  else {
    checkUsable(draft, 'port', name, 'ip', ip, network)
    if (ip6 !== undefined) checkUsable(draft, 'port', name, 'ip6', ip6, network)
  }
  const seen = new Set<string>()
  for (const [index, cidr] of allow.entries()) {
    checkCidr(draft, 'port', name, ['allow', index], cidr)
    if (seen.has(cidr)) draft.report('port', name, ['allow', index], `${cidr} is there twice`, 'Say it once.')
    seen.add(cidr)
  }
}

function checkDuplicateAddresses(draft: Draft, network: DraftNetwork): void {
  const owners = new Map<string, string>()
  for (const gateway of [network.gateway, network.gateway6]) if (gateway !== undefined) owners.set(gateway, 'its gateway')
  const ports = network.ports.flatMap(({ name, ip, ip6 }) => [
    { kind: 'port' as const, name, field: 'ip', address: ip },
    ...(ip6 === undefined ? [] : [{ kind: 'port' as const, name, field: 'ip6', address: ip6 }]),
  ])
  const vips = network.vips.map(({ name, ip }) => ({ kind: 'vip' as const, name, field: 'ip', address: ip }))
  const [declared, others] = partition([...ports, ...vips], ({ kind, name }) => draft.isDeclared(kind, name))
  for (const { kind, name, field, address } of [...others, ...declared]) {
    const owner = owners.get(address)
    if (owner === undefined) {
      owners.set(address, `${kind === 'vip' ? 'VIP' : kind} ${name}`)
      continue
    }
    draft.report(kind, name, [field], `${address} is in network ${network.name} already the address of ${owner}`, 'Choose one that is free there.')
  }
}

/** Of two with the same MAC in a VPC the one that the document says it of is reported. */
function checkMacs(draft: Draft): void {
  const routers = draft.network.routers.map(({ name, vpc, mac }) => ({ kind: 'router' as const, name, vpc, mac }))
  const ports = draft.network.ports.map(({ name, network, mac }) => ({ kind: 'port' as const, name, vpc: draft.networks.get(network)?.vpc, mac }))
  const [said, others] = partition([...routers, ...ports], ({ kind, name }) => draft.says(kind, name, 'mac'))
  const owners = new Map<string, string>()
  for (const { kind, name, vpc, mac } of [...others, ...said]) {
    const remedy = 'Choose another, or leave mac out to have one assigned.'
    checkMac(draft, [kind, name, ['mac']], mac, remedy)
    if (vpc === undefined) continue
    const owner = owners.get(`${vpc} ${mac}`)
    if (owner === undefined) owners.set(`${vpc} ${mac}`, `${kind} ${name}`)
    else draft.report(kind, name, ['mac'], `${mac} is in VPC ${vpc} already the address of ${owner}`, remedy)
  }
}

/** A MAC is one that a single device can have. */
export function checkMac(draft: Draft, at: [NetworkKind, string, Place], mac: string, remedy: string): void {
  if (parseInt(mac.slice(0, 2), 16) & 1) draft.report(...at, `${mac} is a multicast address`, remedy)
  else if (mac === '00:00:00:00:00:00') draft.report(...at, `${mac} is nobody's address`, remedy)
}

function partition<T>(items: readonly T[], isFirst: (item: T) => boolean): [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))]
}
