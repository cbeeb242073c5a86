import fc from 'fast-check'
import { maxAclPriority } from '../../model/network.ts'
import { cidrAround, formatCidr, parseCidr } from '../address.ts'
import { aclSpaceCovers, aclSpaceOf, hasPorts } from './acl-space.ts'
import { isBefore } from './check-acls.ts'
import { completeAcl } from './complete.ts'
import type { Declaration, DeclaredAcl } from './schema.ts'

/** Picks from whatever there is to pick from. */
export const pick = fc.nat({ max: 0xffff })
export const pickFrom = <T>(items: readonly T[], number: number): T | undefined => items[number % items.length]

export type MadeBy<A> = A extends fc.Arbitrary<infer T> ? T : never

const portMatch = fc.oneof(
  fc.constant(undefined),
  fc.constant(undefined),
  fc.constantFrom(22, 80, 443, 5432, 0, 65_535),
  fc.tuple(fc.constantFrom(0, 1, 80, 1024), fc.constantFrom(1024, 1500, 8191, 65_535)),
)

/** What an ACL is made from. */
export const aclRecipe = fc.record({
  onPort: fc.boolean(),
  target: pick,
  direction: fc.constantFrom('in', 'out'),
  // Few, so that there are equals.
  priority: fc.constantFrom(1, 100, 100, 200, 300, maxAclPriority),
  /** Null for an ACL that does not say. */
  family: fc.constantFrom(4, 4, 6, null),
  proto: pick,
  own: fc.option(pick),
  other: fc.option(pick),
  sport: portMatch,
  dport: portMatch,
  action: fc.constantFrom('allow', 'drop'),
  stateful: fc.constantFrom(undefined, true, false, false),
  log: fc.constantFrom(undefined, undefined, true, false),
})

const protocols = {
  4: [undefined, 'tcp', 'tcp', 'udp', 'icmp', 1, 6, 17, 47, 132],
  6: [undefined, 'tcp', 'tcp', 'udp', 'icmp6', 58, 6, 17, 47, 132],
  any: [undefined, 'tcp', 'tcp', 'udp', 6, 17, 47, 132],
} as const

/** Adds the ACL of a recipe, unless it would be without effect, or make another one so. */
export function addAcl(declaration: Declaration, index: number, recipe: MadeBy<typeof aclRecipe>): void {
  const { networks, ports, acls } = declaration
  const port = recipe.onPort ? pickFrom(ports, recipe.target) : undefined
  const network = port ? networks.find(({ name }) => name === port.network)! : pickFrom(networks, recipe.target)!
  const family = recipe.family === 6 && network.subnet6 === undefined ? 4 : recipe.family
  const sides = sidesOf(declaration, network.name, port?.name, recipe.direction)
  const ofFamily = (texts: readonly string[]): string[] => texts.filter((text) => parseCidr(text)!.family === family)
  const own = recipe.own === null ? undefined : pickFrom(ofFamily(sides.own), recipe.own)
  const other = recipe.other === null ? undefined : pickFrom(ofFamily(sides.other), recipe.other)
  const [src, dst] = recipe.direction === 'in' ? [other, own] : [own, other]
  const proto = pickFrom<DeclaredAcl['match']['proto']>(protocols[family ?? 'any'], recipe.proto)
  const portsToo = hasPorts(aclSpaceOf({ proto }))
  const acl: DeclaredAcl = {
    name: `acl-${index}`,
    ...(port ? { port: port.name } : { network: network.name }),
    direction: recipe.direction,
    priority: recipe.priority,
    match: {
      ...(proto !== undefined && { proto }),
      ...(src !== undefined && { src }),
      ...(dst !== undefined && { dst }),
      ...(portsToo && recipe.sport !== undefined && { sport: recipe.sport }),
      ...(portsToo && recipe.dport !== undefined && { dport: recipe.dport }),
    },
    action: recipe.action,
    ...(recipe.stateful !== undefined && { stateful: recipe.stateful }),
    ...(recipe.log !== undefined && { log: recipe.log }),
  }
  const networkOf = (each: DeclaredAcl): string => each.network ?? ports.find(({ name }) => name === each.port)!.network
  const shadows = (outer: DeclaredAcl, inner: DeclaredAcl): boolean =>
    outer.direction === inner.direction &&
    networkOf(outer) === networkOf(inner) &&
    (outer.port === undefined || outer.port === inner.port) &&
    isBefore(completeAcl(outer), completeAcl(inner)) &&
    aclSpaceCovers(aclSpaceOf(outer.match), aclSpaceOf(inner.match))
  if (!acls.some((each) => shadows(each, acl) || shadows(acl, each))) acls.push(acl)
}

/** Prefixes that the two sides of a match can have at a network or port: its own, and those of whom it talks with. */
function sidesOf(
  { networks, ports, routers, vips }: Declaration,
  network: string,
  port: string | undefined,
  direction: 'in' | 'out',
): Record<'own' | 'other', string[]> {
  const subnets = networks.flatMap(({ subnet, subnet6 }) => [subnet, ...(subnet6 === undefined ? [] : [subnet6])])
  const hostPrefixes = (of: typeof ports): string[] => of.flatMap(({ ip, ip6 }) => [`${ip}/32`, ...(ip6 === undefined ? [] : [`${ip6}/128`])])
  const { subnet, subnet6 } = networks.find(({ name }) => name === network)!
  const here = ports.filter((each) => (port === undefined ? each.network === network : each.name === port))
  const vipsHere = vips.filter((vip) => here.some(({ name }) => vip.ports.includes(name)))
  const vias = new Set([...here.flatMap(({ ip, ip6 }) => [ip, ip6]), ...vipsHere.map(({ ip }) => ip)])
  const routed = routers.filter((router) => router.networks.includes(network)).flatMap(({ routes = [] }) => routes.filter(({ via }) => vias.has(via)))
  const received = ['224.0.0.0/4', '255.255.255.255/32', 'ff00::/8', ...routed.map(({ to }) => to)]
  // A port has an address in its network's IPv4 subnet, but not always one in the other.
  const six = subnet6 === undefined ? [] : ['fe80::/10', ...(port === undefined || here[0]!.ip6 !== undefined ? [subnet6] : [])]
  return {
    own: [
      subnet,
      ...(port === undefined ? halves(subnet) : []),
      ...six,
      ...hostPrefixes(here),
      ...vipsHere.map(({ ip }) => `${ip}/${ip.includes(':') ? 128 : 32}`),
      ...here.flatMap(({ allow = [] }) => allow),
      ...(direction === 'in' ? received : []),
    ],
    other: [
      ...subnets,
      ...subnets.flatMap(halves),
      ...hostPrefixes(ports),
      '0.0.0.0/0',
      '10.0.0.0/8',
      '10.99.0.0/24',
      '::/0',
      'fd00::/8',
      'fe80::/10',
    ],
  }
}

function halves(text: string): string[] {
  const { family, prefixLength, first, last } = parseCidr(text)!
  return [first, last].map((value) => formatCidr(cidrAround({ family, value }, prefixLength + 1)))
}
