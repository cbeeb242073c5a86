import type { NetworkHost, Port, VirtualNetwork } from '../../model/network.ts'
import { completeAcl, completeHost, completeNetwork, completePeering, completePort, completeRouter, completeVip } from './complete.ts'
import { gatewayOfVlans, gatewaysAmong, vlanOf } from './gateways.ts'
import { macOf, nextNumbers, portNumberRange, routerNumberRange, vniRange, type NumberRange } from './numbers.ts'
import { refusalOf } from './problems.ts'
import type { Declaration, DeclaredPort } from './schema.ts'

interface Named {
  name: string
}

/** The objects of one kind: those that the document does not name, and those that it does with what they were before. */
interface Merged<Declared extends Named, Stored extends Named> {
  untouched: readonly Stored[]
  named: readonly { declared: Declared; before: Stored | undefined }[]
}

/**
 * A network with a declaration worked into it and everything assigned. It may be wrong. What the document does not name comes first in the
 * lists (nothing with `prune`), then come the document's objects in its order; the first of those with the same name counts.
 * @throws HoldfastError bad-input where there are more objects than numbers for them.
 */
export function mergeDeclaration(current: VirtualNetwork, declaration: Declaration, prune: boolean): VirtualNetwork {
  const vpcs = merge(current.vpcs, declaration.vpcs, prune)
  const networks = merge(current.networks, declaration.networks, prune)
  const routers = merge(current.routers, declaration.routers, prune)
  const peerings = merge(current.peerings, declaration.peerings, prune)
  const acls = merge(current.acls, declaration.acls, prune)
  const ports = merge(current.ports, declaration.ports, prune)
  const hosts = merge(current.hosts, declaration.hosts, prune)
  const vips = merge(current.vips, declaration.vips, prune)

  const vnis = assignNumbers('networks', networks, (network) => network.vni, vniRange, current.last.vni)
  const routerNumbers = assignNumbers(
    'routers',
    routers,
    (router) => ('number' in router ? router.number : undefined),
    routerNumberRange,
    current.last.router,
  )
  const portNumbers = assignNumbers('ports', ports, (port) => ('number' in port ? port.number : undefined), portNumberRange, current.last.port)
  const macs = assignMacs(routers, ports)
  const mergedHosts = [...hosts.untouched, ...hosts.named.map(({ declared }) => completeHost(declared))]
  const places = assignPlaces(ports, mergedHosts)

  const merged = {
    networks: [...networks.untouched, ...networks.named.map(({ declared }) => completeNetwork(declared, vnis.of.get(declared.name)!))],
    routers: [
      ...routers.untouched,
      ...routers.named.map(({ declared }) => completeRouter(declared, routerNumbers.of.get(declared.name)!, macs.router.get(declared.name)!)),
    ],
    peerings: [...peerings.untouched, ...peerings.named.map(({ declared }) => completePeering(declared))],
    acls: [...acls.untouched, ...acls.named.map(({ declared }) => completeAcl(declared))],
    ports: [
      ...places.untouched,
      ...ports.named.map(({ declared: { name }, declared }) =>
        completePort(declared, { number: portNumbers.of.get(name)!, mac: macs.port.get(name)!, host: places.of.get(name)! }),
      ),
    ],
    hosts: mergedHosts,
    vips: [...vips.untouched, ...vips.named.map(({ declared }) => completeVip(declared))],
    last: {
      vni: vnis.last,
      router: routerNumbers.last,
      port: portNumbers.last,
      broadcastEpoch: current.last.broadcastEpoch + Number(nodeNames(current.hosts) !== nodeNames(mergedHosts)),
    },
  }
  // To name a VPC is to declare it.
  const known = [...vpcs.untouched, ...vpcs.named.map(({ declared }) => declared)]
  const names = new Set([...known.map(({ name }) => name), ...[...merged.networks, ...merged.routers].map(({ vpc }) => vpc)])
  return { vpcs: [...names].map((name) => known.find((vpc) => vpc.name === name) ?? { name }), ...merged }
}

function merge<Declared extends Named, Stored extends Named>(
  current: readonly Stored[],
  declared: readonly Declared[],
  prune: boolean,
): Merged<Declared, Stored> {
  if (declared.length === 0) return { untouched: prune ? [] : current, named: [] }
  const named = new Map<string, { declared: Declared; before: Stored | undefined }>()
  for (const object of declared) if (!named.has(object.name)) named.set(object.name, { declared: object, before: undefined })
  const untouched: Stored[] = []
  for (const object of current) {
    const found = named.get(object.name)
    if (found) found.before = object
    else if (!prune) untouched.push(object)
  }
  return { untouched, named: [...named.values()] }
}

/** The declared objects' numbers by name: as declared, else as before, else new ones, given in the order of names. */
function assignNumbers<Declared extends Named, Stored extends Named>(
  what: string,
  { untouched, named }: Merged<Declared, Stored>,
  numberOf: (object: Declared | Stored) => number | undefined,
  range: NumberRange,
  last: number,
): { of: Map<string, number>; last: number } {
  const room = range.max - range.min + 1
  const count = untouched.length + named.length
  if (count > room) {
    throw refusalOf([
      { line: null, path: what, message: `There would be ${count} ${what}, and there are numbers for ${room}`, remedy: 'Delete some.' },
    ])
  }
  const of = new Map<string, number>()
  for (const { declared, before } of named) {
    const number = numberOf(declared) ?? (before && numberOf(before))
    if (number !== undefined) of.set(declared.name, number)
  }
  const missing = named.map(({ declared }) => declared.name).filter((name) => !of.has(name))
  if (missing.length === 0) return { of, last }
  const used = new Set([...of.values(), ...untouched.flatMap((object) => numberOf(object) ?? [])])
  const given = nextNumbers(missing.length, range, last, used)
  for (const [index, name] of missing.sort().entries()) of.set(name, given[index]!)
  return { of, last: given.at(-1)! }
}

interface WithMac extends Named {
  mac?: string | undefined
}

/** The declared routers' and ports' MACs by name: as declared, else as before, else new ones that nobody has. */
function assignMacs(routers: Merged<WithMac, WithMac>, ports: Merged<WithMac, WithMac>): Record<'router' | 'port', Map<string, string>> {
  const merged = { router: routers, port: ports }
  const of = { router: new Map<string, string>(), port: new Map<string, string>() }
  for (const kind of ['router', 'port'] as const) {
    for (const { declared, before } of merged[kind].named) {
      const mac = declared.mac?.toLowerCase() ?? before?.mac
      if (mac !== undefined) of[kind].set(declared.name, mac)
    }
  }
  let used: Set<string> | undefined
  for (const kind of ['router', 'port'] as const) {
    const missing = merged[kind].named.map(({ declared }) => declared.name).filter((name) => !of[kind].has(name))
    for (const name of missing.sort()) {
      used ??= new Set([...of.router.values(), ...of.port.values(), ...[...routers.untouched, ...ports.untouched].flatMap(({ mac }) => mac ?? [])])
      const mac = macOf(kind, name, used)
      of[kind].set(name, mac)
      used.add(mac)
    }
  }
  return of
}

/** The declared ports' hosts by name, and the other ports where they are then: those in a VLAN go with their VLAN. */
function assignPlaces(
  { untouched, named }: Merged<DeclaredPort, Port>,
  hosts: readonly NetworkHost[],
): { of: Map<string, string>; untouched: readonly Port[] } {
  const gateways = gatewayOfVlans(
    named.map(({ declared }) => declared),
    [...untouched, ...named.flatMap(({ before }) => before ?? [])],
    gatewaysAmong(hosts),
  )
  const gatewayOf = (port: Pick<Port, 'attach'>): string | undefined => gateways.get(vlanOf(port) ?? '')
  return {
    // Without a gateway it is refused, wherever it is.
    of: new Map(named.map(({ declared, before }) => [declared.name, declared.host ?? gatewayOf(declared) ?? before?.host ?? ''])),
    untouched: untouched.map((port) => {
      const host = gatewayOf(port) ?? port.host
      return host === port.host ? port : { ...port, host }
    }),
  }
}

/** The declared nodes of the broadcast cluster. */
function nodeNames(hosts: readonly NetworkHost[]): string {
  return hosts
    .filter(({ roles }) => roles.includes('broadcast'))
    .map(({ name }) => name)
    .sort()
    .join(' ')
}
