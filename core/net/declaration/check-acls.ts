import type { Acl } from '../../model/network.ts'
import { cidrAround, cidrsOverlap, parseCidr, parseIp, type Cidr } from '../address.ts'
import { aclSpaceCovers, aclSpaceOf, hasPorts, type AclSpace } from './acl-space.ts'
import { checkCidr } from './check-addresses.ts'
import type { Draft, DraftNetwork } from './draft.ts'

/** Whether every ACL holds for something, and can match and decide at least one packet there. */
export function checkAcls(draft: Draft): void {
  const sound: SoundAcl[] = []
  for (const acl of draft.network.acls) {
    const target = targetOf(draft, acl)
    const space = checkMatch(draft, acl)
    if (!target) continue
    if (space && checkOwnSide(draft, acl, space, target)) sound.push({ acl, space, network: target.network.name })
  }
  checkShadows(draft, sound)
}

interface SoundAcl {
  acl: Acl
  space: AclSpace
  /** The network that it, or its port, is in. */
  network: string
}

/** What an ACL holds for. */
interface Target {
  network: DraftNetwork
  /** Null for all of the network. */
  port: string | null
}

function targetOf(draft: Draft, { name, network, port }: Acl): Target | null {
  if ((network === undefined) === (port === undefined)) {
    const message = network === undefined ? 'It holds for nothing' : 'It names a network and a port'
    draft.report('acl', name, network === undefined ? [] : ['port'], message, 'Name either a network, or a port.')
    return null
  }
  const holder = port === undefined ? undefined : draft.ports.get(port)
  if (port !== undefined && !holder) draft.reportMissing('acl', name, ['port'], { kind: 'port', name: port })
  if (network !== undefined && !draft.networks.has(network)) draft.reportMissing('acl', name, ['network'], { kind: 'network', name: network })
  const found = draft.networks.get(network ?? holder?.network ?? '')
  return found ? { network: found, port: port ?? null } : null
}

/** Checks a match by itself. @returns what it describes, null for what describes nothing. */
function checkMatch(draft: Draft, { name, match }: Acl): AclSpace | null {
  let possible = true
  const never = (key: keyof typeof match, message: string, remedy: string): void => {
    possible = false
    draft.report('acl', name, ['match', key], `${message}: it can never match`, remedy)
  }
  const { proto, src, dst } = match
  for (const key of ['src', 'dst'] as const) {
    const cidr = match[key]
    if (cidr === undefined) continue
    checkCidr(draft, 'acl', name, ['match', key], cidr)
    if (aclSpaceOf({ proto, src: cidr }).families.size > 0) continue
    const [own, other] = parseCidr(cidr)!.family === 6 ? ['icmp6', 'IPv4'] : ['icmp', 'IPv6']
    never(key, `Protocol ${proto} does not go with ${cidr}`, `Write proto ${own}, or an ${other} network.`)
  }
  if (src !== undefined && dst !== undefined && parseCidr(src)!.family !== parseCidr(dst)!.family) {
    never('dst', `${src} and ${dst} are of different families`, 'Write two of the same family, or leave one out.')
  }
  const space = aclSpaceOf(match)
  for (const key of ['sport', 'dport'] as const) {
    const ports = match[key]
    if (ports === undefined) continue
    if (!hasPorts(space)) {
      const message = proto === undefined ? `${key} without proto` : `Protocol ${proto} has no ports`
      never(key, message, `Write proto tcp, udp or 132 (SCTP), or leave out ${key}.`)
    }
    if (typeof ports === 'number' || ports[0] <= ports[1]) continue
    never(key, `The range from ${ports[0]} to ${ports[1]} is empty`, `Write [${ports[1]}, ${ports[0]}].`)
  }
  return possible ? space : null
}

/** Whether the side of a match that is the target's own can be: what is sent has the target's addresses as source, what is received as destination. */
function checkOwnSide(draft: Draft, { name, direction, match }: Acl, space: AclSpace, target: Target): boolean {
  const key = target.port === null ? `network ${target.network.name}` : `port ${target.port}`
  const side = direction === 'in' ? 'dst' : 'src'
  if (ownPrefixes(draft, direction, target).some((own) => space.families.values().some((sides) => cidrsOverlap(sides[side], own)))) return true
  const verb = direction === 'in' ? 'receives' : 'sends'
  if (match[side] === undefined) {
    const from = (['src', 'dst', 'proto'] as const).find((each) => match[each] !== undefined)!
    const message = `The ${key} ${verb} no IPv${space.families.has(6) ? 6 : 4}: it can never match`
    draft.report('acl', name, ['match', from], message, `Give network ${target.network.name} a subnet6, or leave the ACL out.`)
  } else {
    const what = direction === 'in' ? 'nothing for' : 'nothing from'
    const remedy = `Leave out ${side}, write one that meets ${key}, or turn the direction: in is towards the port.`
    draft.report('acl', name, ['match', side], `The ${key} ${verb} ${what} ${match[side]}: it can never match`, remedy)
  }
  return false
}

const broadcast4 = parseCidr('255.255.255.255/32')!
const multicast4 = parseCidr('224.0.0.0/4')!
const multicast6 = parseCidr('ff00::/8')!
const linkLocal6 = parseCidr('fe80::/10')!

/** What a network or port receives can be for any of these, what it sends can be from any of these. What nearly always suffices comes first. */
function* ownPrefixes(draft: Draft, direction: Acl['direction'], { network, port }: Target): Generator<Cidr, undefined> {
  const ports = port === null ? network.ports : [draft.ports.get(port)!]
  const vips = network.vips.filter((vip) => port === null || vip.ports.includes(port))
  const addresses = [...ports.flatMap(({ ip, ip6 }) => [ip, ip6]), ...vips.map(({ ip }) => ip)].filter((text) => text !== undefined)
  if (port === null) yield* network.prefixes
  else for (const text of addresses) yield cidrAround(parseIp(text)!)
  let six = network.prefixes.some(({ family }) => family === 6)
  for (const text of ports.flatMap(({ allow }) => allow)) {
    const allowed = parseCidr(text)!
    six ||= allowed.family === 6
    yield allowed
  }
  if (six) yield linkLocal6
  if (direction === 'out') return
  const [{ last }] = network.prefixes as [Cidr]
  yield* [cidrAround({ family: 4, value: last }), broadcast4, multicast4, ...(six ? [multicast6] : [])]
  // What is routed to one of these ports is for whatever lies behind it.
  const vias = new Set(addresses)
  for (const { to, via } of draft.routerOf.get(network.name)?.routes ?? []) if (vias.has(via)) yield parseCidr(to)!
}

/** An ACL is without effect where one that is asked before decides all that it could. Network and port ACLs are asked together. */
function checkShadows(draft: Draft, acls: readonly SoundAcl[]): void {
  for (const group of Map.groupBy(acls, ({ acl, network }) => `${acl.direction} ${network}`).values()) {
    const ofNetwork = group.filter(({ acl }) => acl.port === undefined)
    const ofPort = Map.groupBy(group, ({ acl }) => acl.port)
    for (const inner of group) {
      const candidates = inner.acl.port === undefined ? ofNetwork : [...ofNetwork, ...ofPort.get(inner.acl.port)!]
      const outer = candidates.find((other) => isBefore(other.acl, inner.acl) && aclSpaceCovers(other.space, inner.space))
      if (!outer) continue
      const message = `ACL ${outer.acl.name} (priority ${outer.acl.priority}, ${outer.acl.action}) decides all that this one could: it can never match`
      draft.report('acl', inner.acl.name, ['priority'], message, `Give it a priority above ${outer.acl.priority}, or leave it out.`)
    }
  }
}

/** Whether an ACL is asked before another for certain: `drop` comes before `allow` among equals. */
export function isBefore(a: Acl, b: Acl): boolean {
  return a.priority > b.priority || (a.priority === b.priority && a.action === 'drop' && b.action === 'allow')
}
