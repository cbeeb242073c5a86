import type { Peering, Router } from '../../model/network.ts'
import { cidrsOverlap, formatCidr, parseCidr, type Cidr } from '../address.ts'
import { checkCidr } from './check-addresses.ts'
import type { Draft, DraftNetwork } from './draft.ts'
import type { Place } from './problems.ts'

/** Whether routers and peerings lead somewhere, and one way only. */
export function checkRouting(draft: Draft): void {
  const tables = new Map<string, RouteTable>()
  for (const router of draft.network.routers) tables.set(router.name, checkRouter(draft, router))
  for (const peering of draft.network.peerings) checkPeering(draft, peering, tables)
}

/** What a router has, by destination: who says so. */
type RouteTable = Map<string, string>

function checkRouter(draft: Draft, router: Router): RouteTable {
  const { name, vpc, routes } = router
  for (const [index, attached] of router.networks.entries()) {
    const network = draft.networks.get(attached)
    const field = ['networks', index]
    if (!network) {
      draft.reportMissing('router', name, field, { kind: 'network', name: attached })
      continue
    }
    const first = draft.routerOf.get(attached)!
    if (first !== router)
      draft.report('router', name, field, `Network ${attached} is attached to router ${first.name}`, 'Attach a network to one router.')
    else if (router.networks.indexOf(attached) < index) draft.report('router', name, field, `Network ${attached} is there twice`, 'Say it once.')
    if (network.vpc !== vpc) {
      const remedy = 'Give each VPC a router of its own, and join them by a peering.'
      draft.report('router', name, field, `Network ${attached} is in VPC ${network.vpc}, but the router in VPC ${vpc}`, remedy)
    }
    if (network.gateway === undefined) {
      draft.report(
        'router',
        name,
        field,
        `Network ${attached} has no gateway: the router has no address there`,
        `Give network ${attached} a gateway.`,
      )
    }
  }

  const networks = networksOf(draft, router)
  const table: RouteTable = new Map(networks.flatMap((network) => network.prefixes.map((prefix) => [formatCidr(prefix), `network ${network.name}`])))
  const neighbours =
    routes.length === 0
      ? new Set()
      : new Set(networks.flatMap((network) => [...network.ports.flatMap(({ ip, ip6 }) => [ip, ip6]), ...network.vips.map(({ ip }) => ip)]))
  for (const [index, { to, via }] of routes.entries()) {
    checkCidr(draft, 'router', name, ['routes', index, 'to'], to)
    enter(draft, table, [parseCidr(to)!], 'a route of its own', ['router', name, ['routes', index, 'to']], name)
    if (to.includes(':') !== via.includes(':')) {
      draft.report(
        'router',
        name,
        ['routes', index, 'via'],
        `${via} and ${to} are of different families`,
        `Write an IPv${to.includes(':') ? 6 : 4} address.`,
      )
    } else if (!neighbours.has(via)) {
      const remedy = `Write the address of a port or VIP on ${networks.map((network) => network.name).join(', ') || 'a network that is attached to it'}.`
      draft.report('router', name, ['routes', index, 'via'], `${via} is the address of no port or VIP on a network of router ${name}`, remedy)
    }
  }
  return table
}

function checkPeering(draft: Draft, peering: Peering, tables: ReadonlyMap<string, RouteTable>): void {
  const { name } = peering
  const routers = peering.routers.map((router) => draft.routers.get(router))
  for (const [index, router] of peering.routers.entries()) {
    if (!routers[index]) draft.reportMissing('peering', name, ['routers', index], { kind: 'router', name: router })
  }
  const [a, b] = routers
  if (a && a === b) draft.report('peering', name, ['routers'], `Router ${a.name} is peered with itself`, 'Name two routers.')
  else if (a && b && a.vpc === b.vpc) {
    const remedy = 'Attach the networks of both to one router: a peering joins different VPCs.'
    draft.report('peering', name, ['routers'], `Routers ${a.name} and ${b.name} are both in VPC ${a.vpc}`, remedy)
  }
  for (const [index, { on, to }] of peering.routes.entries()) {
    checkCidr(draft, 'peering', name, ['routes', index, 'to'], to)
    const side = peering.routers.indexOf(on)
    if (side < 0) {
      draft.report('peering', name, ['routes', index, 'on'], `Router ${on} is not part of this peering`, `Write ${peering.routers.join(' or ')}.`)
    } else if (a && b && a !== b) checkPeeringRoute(draft, name, index, to, side === 0 ? [a, b] : [b, a], tables.get(on)!)
  }
}

function checkPeeringRoute(draft: Draft, name: string, index: number, to: string, [router, peer]: [Router, Router], table: RouteTable): void {
  const field = ['routes', index, 'to']
  const cidr = parseCidr(to)!
  const own = overlapping(networksOf(draft, router), cidr)
  if (own) {
    const message = `${to} overlaps the subnet of network ${own.name}, which router ${router.name} has itself`
    draft.report('peering', name, field, message, 'Narrow the route to what only the other side has, or renumber one side.')
    return
  }
  const reached = [...networksOf(draft, peer).flatMap((network) => network.prefixes), ...peer.routes.map((route) => parseCidr(route.to)!)]
  const destinations = destinationsOf(cidr, reached)
  if (destinations.length === 0) {
    const remedy = `Write what router ${peer.name} has: ${reached.map(formatCidr).join(', ') || 'nothing yet'}.`
    draft.report('peering', name, field, `${to} leads nowhere: router ${peer.name} has no network and no route there`, remedy)
  }
  enter(draft, table, [cidr, ...destinations], `peering ${name}`, ['peering', name, field], router.name)
}

/** What a router gets by a peering's route: of what the other router has, what the route lets through. */
export function destinationsOf(to: Cidr, reached: readonly Cidr[]): Cidr[] {
  return reached.filter((prefix) => cidrsOverlap(prefix, to)).map((prefix) => (prefix.prefixLength > to.prefixLength ? prefix : to))
}

/** Notes destinations in a router's table; two ways to the same would be a matter of chance. */
function enter(
  draft: Draft,
  table: RouteTable,
  to: readonly Cidr[],
  source: string,
  at: ['router' | 'peering', string, Place],
  router: string,
): void {
  const destinations = [...new Set(to.map(formatCidr))]
  const known = destinations.find((destination) => table.has(destination))
  if (known !== undefined) draft.report(...at, `Router ${router} has ${known} already, by ${table.get(known)}`, 'Have one way to each destination.')
  for (const destination of destinations) if (!table.has(destination)) table.set(destination, source)
}

function networksOf(draft: Draft, router: Router): DraftNetwork[] {
  return router.networks.flatMap((name) => draft.networks.get(name) ?? [])
}

function overlapping(networks: readonly DraftNetwork[], cidr: Cidr): DraftNetwork | undefined {
  return networks.find((network) => network.prefixes.some((prefix) => cidrsOverlap(prefix, cidr)))
}
