import fc from 'fast-check'
import { cidrAround, cidrsOverlap, formatCidr, formatIp, parseCidr, type Cidr } from '../address.ts'
import { aclRecipe, addAcl, pick, pickFrom, type MadeBy } from './arbitrary-acl.ts'
import { freeAddress } from './arbitrary-address.ts'
import { addHosts, hostsRecipe, placeOf, placeRecipe } from './arbitrary-hosts.ts'
import { addVip, vipRecipe } from './arbitrary-vip.ts'
import { destinationsOf } from './check-routing.ts'
import type { Declaration, DeclaredNetwork, DeclaredPort, DeclaredRouter } from './schema.ts'

export interface ArbitraryDeclarationOptions {
  /** Hosts of the cluster that ports are put on, at least one. */
  hosts?: readonly string[]
  maxPorts?: number
}

/**
 * Declarations that are right by construction, for property tests: up to three VPCs, some with the same subnets and MACs, with every kind of
 * object, of attachment and of broadcast, IPv4 and IPv6. What a recipe asks for and would make the declaration wrong is left out, so that all shrinks well.
 */
export function arbitraryDeclaration({ hosts = ['h1', 'h2', 'h3'], maxPorts = 12 }: ArbitraryDeclarationOptions = {}): fc.Arbitrary<Declaration> {
  const recipe = fc.record({
    vpcs: fc.array(vpcRecipe, { minLength: 1, maxLength: 3, size: 'max' }),
    hosts: hostsRecipe(hosts.length),
    ports: fc.array(portRecipe, { maxLength: maxPorts, size: 'max' }),
    vips: fc.array(vipRecipe, { maxLength: 3, size: 'max' }),
    routes: fc.array(routeRecipe, { maxLength: 5, size: 'max' }),
    peerings: fc.array(peeringRecipe, { maxLength: 4, size: 'max' }),
    acls: fc.array(aclRecipe, { maxLength: 12, size: 'max' }),
  })
  return recipe.map(({ vpcs, hosts: declaredHosts, ports, vips, routes, peerings, acls }) => {
    const declaration: Declaration = { vpcs: [], networks: [], routers: [], peerings: [], acls: [], ports: [], hosts: [], vips: [] }
    for (const [index, vpc] of vpcs.entries()) addVpc(declaration, index, vpc)
    addHosts(declaration, hosts, declaredHosts)
    for (const [index, port] of ports.entries()) addPort(declaration, index, port, hosts)
    for (const [index, vip] of vips.entries()) addVip(declaration, index, vip)
    for (const route of routes) addRoute(declaration, route)
    for (const [index, peering] of peerings.entries()) addPeering(declaration, index, peering)
    for (const [index, acl] of acls.entries()) addAcl(declaration, index, acl)
    return declaration
  })
}

/** `count` of them, the same for the same seed. */
export function sampleDeclarations(seed: number, count: number, options?: ArbitraryDeclarationOptions): Declaration[] {
  return fc.sample(arbitraryDeclaration(options), { seed, numRuns: count })
}

const seldom = fc.nat({ max: 3 }).map((number) => number === 3)

const networkRecipe = fc.record({
  length: fc.constantFrom(24, 20, 27, 30),
  length6: fc.constantFrom(null, 64, 120, 126),
  gateway: fc.constantFrom('first', 'first', 'last', null),
  gateway6: fc.constantFrom('first', 'last', null),
  tunnel: fc.constantFrom('vxlan', 'gre', undefined),
  broadcast: fc.constantFrom(undefined, undefined, 'source', 'cluster', 'cluster+garp'),
  mtu: fc.constantFrom(undefined, undefined, 1280, 1400, 9000),
  /** Declared VNIs lie where assigned ones do and where they do not. */
  vni: fc.constantFrom(null, null, 1, 4096),
  router: fc.constantFrom(0, 0, 1),
})
const vpcRecipe = fc.record({
  /** VPCs of the same base have the same subnets. */
  base: fc.constantFrom(0, 1, 2),
  networks: fc.array(networkRecipe, { minLength: 1, maxLength: 4, size: 'max' }),
  routers: fc.constantFrom(1, 1, 2, 0),
  mac: seldom,
  listed: seldom,
})
const portRecipe = fc.record({
  network: pick,
  place: pick,
  six: fc.boolean(),
  at: placeRecipe,
  mac: seldom,
  allow: fc.uniqueArray(pick, { maxLength: 2 }),
})
const routeRecipe = fc.record({ router: pick, port: pick, vip: fc.boolean(), to: pick, allow: fc.boolean() })
const peeringRecipe = fc.record({
  a: pick,
  b: pick,
  routes: fc.array(fc.record({ onA: fc.boolean(), to: pick, longer: fc.constantFrom(0, 0, 1, -4, -8) }), { maxLength: 4, size: 'max' }),
})

/** Prefixes that lie outside all networks. */
const outside = ['0.0.0.0/0', '10.99.0.0/24', '10.99.1.0/28', '192.0.2.7/32', '::/0', 'fd00:99::/64', 'fd00:99:0:1::7/128']

function addVpc(declaration: Declaration, index: number, recipe: MadeBy<typeof vpcRecipe>): void {
  const vpc = `vpc-${index}`
  if (recipe.listed) declaration.vpcs.push({ name: vpc })
  const routers = Array.from({ length: recipe.routers }, (_, number): DeclaredRouter => {
    const mac = recipe.mac ? { mac: `0A:00:00:00:00:0${number}` } : {}
    return { name: `router-${index}-${number}`, vpc, networks: [], ...mac }
  })
  declaration.routers.push(...routers)
  for (const [number, { length, length6, gateway, gateway6, tunnel, broadcast, mtu, vni, router }] of recipe.networks.entries()) {
    const subnet = parseCidr(`10.${20 + recipe.base}.${number * 16}.0/${length}`)!
    const subnet6 = length6 === null ? null : parseCidr(`fd00:${20 + recipe.base}:${number}::/${length6}`)!
    const network: DeclaredNetwork = {
      name: `network-${index}-${number}`,
      vpc,
      ...(vni !== null && { vni: vni + 4 * index + number }),
      subnet: formatCidr(subnet),
      ...(gateway !== null && { gateway: endOf(subnet, gateway) }),
      ...(subnet6 && { subnet6: formatCidr(subnet6) }),
      ...(subnet6 && gateway6 !== null && { gateway6: endOf(subnet6, gateway6).toUpperCase() }),
      ...(tunnel !== undefined && { tunnel }),
      ...(broadcast !== undefined && { broadcast }),
      ...(mtu !== undefined && { mtu }),
    }
    declaration.networks.push(network)
    if (network.gateway !== undefined) routers[router]?.networks.push(network.name)
  }
}

function endOf({ family, first, last }: Cidr, end: string): string {
  return formatIp({ family, value: end === 'first' ? first + 1n : last - 1n })
}

function addPort(declaration: Declaration, index: number, recipe: MadeBy<typeof portRecipe>, hosts: readonly string[]): void {
  const network = pickFrom(declaration.networks, recipe.network)!
  const neighbours = declaration.ports.filter((port) => port.network === network.name)
  const ip = freeAddress(network.subnet, recipe.place, [network.gateway, ...neighbours.map((port) => port.ip)])
  const ip6 =
    recipe.six && network.subnet6 ? freeAddress(network.subnet6, recipe.place, [network.gateway6, ...neighbours.map((port) => port.ip6)]) : null
  if (ip === null) return
  const name = `port-${index}`
  declaration.ports.push({
    name,
    network: network.name,
    // The same in each VPC.
    ...(recipe.mac && { mac: `0e:00:00:00:0A:${(1 + neighboursInVpc(declaration, network).length).toString(16).padStart(2, '0')}` }),
    ip,
    ...(ip6 !== null && { ip6 }),
    ...(recipe.allow.length > 0 && { allow: [...new Set(recipe.allow.map((number) => pickFrom(outside, number)!))] }),
    ...placeOf(declaration, hosts, recipe.at, { index, network: network.name }),
  })
}

function neighboursInVpc({ networks, ports }: Declaration, { vpc }: DeclaredNetwork): DeclaredPort[] {
  const names = new Set(networks.filter((network) => network.vpc === vpc).map((network) => network.name))
  return ports.filter((port) => names.has(port.network))
}

function addRoute(declaration: Declaration, recipe: MadeBy<typeof routeRecipe>): void {
  const router = pickFrom(declaration.routers, recipe.router)
  const port =
    router &&
    pickFrom(
      declaration.ports.filter(({ network }) => router.networks.includes(network)),
      recipe.port,
    )
  if (!router || !port) return
  const to = pickFrom(outside, recipe.to)!
  const vip = recipe.vip ? declaration.vips.find(({ ip, ports }) => ports.includes(port.name) && ip.includes(':') === to.includes(':')) : undefined
  const via = vip?.ip ?? (to.includes(':') ? port.ip6 : port.ip)
  if (via === undefined || router.routes?.some((route) => route.to === to)) return
  ;(router.routes ??= []).push({ to, via })
  if (recipe.allow && !port.allow?.includes(to)) (port.allow ??= []).push(to)
}

function addPeering(declaration: Declaration, index: number, recipe: MadeBy<typeof peeringRecipe>): void {
  const routers = declaration.routers.filter(({ networks }) => networks.length > 0)
  const a = pickFrom(routers, recipe.a)
  const b =
    a &&
    pickFrom(
      routers.filter(({ vpc }) => vpc !== a.vpc),
      recipe.b,
    )
  if (!a || !b) return
  const peering: Declaration['peerings'][number] = { name: `peering-${index}`, routers: [a.name, b.name] }
  declaration.peerings.push(peering)
  for (const { onA, to, longer } of recipe.routes) {
    const [router, peer] = onA ? [a, b] : [b, a]
    const exact = pickFrom(prefixesOf(declaration, peer), to)
    if (!exact) continue
    const length = Math.min(Math.max(exact.prefixLength + longer, 0), exact.family === 4 ? 32 : 128)
    const cidr = cidrAround({ family: exact.family, value: exact.last }, length)
    const known = new Set(routesOf(declaration, router).map(formatCidr))
    const own = declaration.networks.filter(({ name }) => router.networks.includes(name)).flatMap(subnetsOf)
    const destinations = [cidr, ...destinationsOf(cidr, prefixesOf(declaration, peer))]
    if (own.some((prefix) => cidrsOverlap(prefix, cidr)) || destinations.some((prefix) => known.has(formatCidr(prefix)))) continue
    ;(peering.routes ??= []).push({ on: router.name, to: formatCidr(cidr) })
  }
}

function subnetsOf({ subnet, subnet6 }: DeclaredNetwork): Cidr[] {
  return [subnet, ...(subnet6 === undefined ? [] : [subnet6])].map((text) => parseCidr(text)!)
}

/** What a router reaches by itself: its networks and static routes. */
function prefixesOf({ networks }: Declaration, router: DeclaredRouter): Cidr[] {
  const attached = networks.filter(({ name }) => router.networks.includes(name)).flatMap(subnetsOf)
  return [...attached, ...(router.routes ?? []).map(({ to }) => parseCidr(to)!)]
}

/** All that a router has a route to, by peerings too. */
function routesOf(declaration: Declaration, router: DeclaredRouter): Cidr[] {
  const peered = declaration.peerings.flatMap(({ routers, routes = [] }) => {
    const peer = declaration.routers.find(({ name }) => name !== router.name && routers.includes(name))!
    const here = routes.filter(({ on }) => on === router.name).map(({ to }) => parseCidr(to)!)
    return here.flatMap((to) => [to, ...destinationsOf(to, prefixesOf(declaration, peer))])
  })
  return [...prefixesOf(declaration, router), ...peered]
}
