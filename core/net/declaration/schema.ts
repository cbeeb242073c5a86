import { z } from 'zod'
import { nameSchema } from '../../model/common.ts'
import { aclMatchSchema, aclSchema, broadcastModes, hostRoles, maxAclPriority, networkSchema, tunnelTypes } from '../../model/network.ts'
import { parseCidr, parseIp, parseIpv4, parseIpv6 } from '../address.ts'
import { maxVni } from './numbers.ts'

/**
 * What an administrator writes. It differs from the stored model in that what can be assigned or has a default may be left out, and that
 * unknown keys are refused, since they are typing errors. Whether it makes sense is not checked here.
 */

const text = (isRight: (text: string) => boolean) => z.string().refine(isRight)
const ipv4 = text((value) => parseIpv4(value) !== null)
const ipv6 = text((value) => parseIpv6(value) !== null)
const ip = text((value) => parseIp(value) !== null)
const cidrv4 = text((value) => parseCidr(value)?.family === 4)
const cidrv6 = text((value) => parseCidr(value)?.family === 6)
const cidr = text((value) => parseCidr(value) !== null)
const mac = z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i)
/** A network interface of Linux: at most 15 bytes (IFNAMSIZ), and nothing that a program could take for an option. */
const nic = z.string().regex(/^[a-zA-Z0-9_.][a-zA-Z0-9_.:@-]{0,14}$/)

const vpc = z.strictObject({ name: nameSchema })

const network = z.strictObject({
  name: nameSchema,
  vpc: nameSchema,
  vni: z.number().int().min(1).max(maxVni).optional(),
  subnet: cidrv4,
  gateway: ipv4.optional(),
  subnet6: cidrv6.optional(),
  gateway6: ipv6.optional(),
  tunnel: z.enum(tunnelTypes).optional(),
  broadcast: z.enum(broadcastModes).optional(),
  mtu: networkSchema.shape.mtuBytes.optional(),
})

const router = z.strictObject({
  name: nameSchema,
  vpc: nameSchema,
  networks: z.array(nameSchema),
  routes: z.array(z.strictObject({ to: cidr, via: ip })).optional(),
  mac: mac.optional(),
})

const peering = z.strictObject({
  name: nameSchema,
  routers: z.tuple([nameSchema, nameSchema]),
  routes: z.array(z.strictObject({ on: nameSchema, to: cidr })).optional(),
})

const acl = z.strictObject({
  name: nameSchema,
  network: nameSchema.optional(),
  port: nameSchema.optional(),
  direction: aclSchema.shape.direction,
  priority: aclSchema.shape.priority,
  match: z.strictObject({ ...aclMatchSchema.shape, src: cidr.optional(), dst: cidr.optional() }),
  action: aclSchema.shape.action,
  stateful: z.boolean().optional(),
  log: z.boolean().optional(),
})

const port = z
  .strictObject({
    name: nameSchema,
    network: nameSchema,
    mac: mac.optional(),
    ip: ipv4,
    ip6: ipv6.optional(),
    allow: z.array(cidr).optional(),
    host: nameSchema.optional(),
    attach: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('netns') }),
      z.strictObject({ kind: z.literal('vm'), vm: nameSchema }),
      z.strictObject({ kind: z.literal('vlan'), nic, vlan: z.number().int().min(1).max(4094) }),
      z.strictObject({ kind: z.literal('remote') }),
    ]),
  })
  // Also where something else is wrong with it, so that all is told at once.
  .refine(hasHostIfNeeded, { path: ['host'], when: ({ value }) => isMap(value) })

function hasHostIfNeeded({ host, attach }: { host?: unknown; attach?: unknown }): boolean {
  return host !== undefined || !isMap(attach) || attach.kind === 'vlan'
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

const host = z.strictObject({
  name: nameSchema,
  roles: z.array(z.enum(hostRoles)).optional(),
  tunnelEnd: z.strictObject({ ip: ipv4, mac }).optional(),
})

const portNumber = z.number().int().min(1).max(65_535)
const vip = z.strictObject({
  name: nameSchema,
  network: nameSchema,
  ip,
  ports: z.array(nameSchema),
  healthCheck: z
    .union([
      z.strictObject({ tcp: portNumber }),
      // What a request line can have as its target (RFC 9112 §3.2.1).
      z.strictObject({ http: z.string().regex(/^\/[!-~]*$/), port: portNumber.optional() }),
      // No argument of a process holds a NUL.
      z.strictObject({ command: z.array(z.string().regex(/^[^\0]*$/)).refine(([program]) => program !== undefined && program !== '') }),
    ])
    .optional(),
  /** Whether these are its ports is checked with the rest: a port's name is no key that could be mistyped. */
  priorities: z.record(z.string(), z.number().int().min(0).max(255)).optional(),
})

/** Kinds of objects in a virtual network. Its lists of them are their plurals. */
export const networkKinds = ['vpc', 'network', 'router', 'peering', 'acl', 'port', 'host', 'vip'] as const
export type NetworkKind = (typeof networkKinds)[number]

export const declarationSchema = z.strictObject({
  vpcs: z.array(vpc).default([]),
  networks: z.array(network).default([]),
  routers: z.array(router).default([]),
  peerings: z.array(peering).default([]),
  acls: z.array(acl).default([]),
  ports: z.array(port).default([]),
  hosts: z.array(host).default([]),
  vips: z.array(vip).default([]),
})

/** A declaration of a virtual network or of a part of it. */
export interface Declaration extends z.infer<typeof declarationSchema> {
  /** Lines of its document, from 1, by path (`ports[3].ip`). Absent where there is no document. */
  lines?: ReadonlyMap<string, number>
}

export type DeclaredNetwork = Declaration['networks'][number]
export type DeclaredRouter = Declaration['routers'][number]
export type DeclaredPeering = Declaration['peerings'][number]
export type DeclaredAcl = Declaration['acls'][number]
export type DeclaredPort = Declaration['ports'][number]
export type DeclaredHost = Declaration['hosts'][number]
export type DeclaredVip = Declaration['vips'][number]

/** The keys that a declaration may have at a place. */
export function keysAt(place: readonly PropertyKey[], schema: z.core.$ZodType = declarationSchema): string[] {
  const [step, ...rest] = place
  const { def } = schema._zod as z.core.$ZodTypes['_zod']
  switch (def.type) {
    case 'optional':
    case 'default':
      return keysAt(place, def.innerType)
    case 'array':
      return keysAt(rest, def.element)
    case 'union':
      return [...new Set(def.options.flatMap((option) => keysAt(place, option)))]
    case 'object':
      return step === undefined ? Object.keys(def.shape) : keysAt(rest, def.shape[String(step)]!)
    default:
      return []
  }
}

const name = 'a name: lower-case letters, digits and dashes, at most 63 characters, in quotes if it could be read as anything else'
const ipText = 'an address such as 10.20.1.11 or fd00:20:1::11'
const cidrText = 'a network with its length, such as 10.20.1.0/24 or fd00:20:1::/64'
const ports = 'a port such as 443, or both ends of a range such as [8000, 8099]'
const portText = 'a whole number from 1 to 65535'

/** What belongs under each key, for people; where it is another thing somewhere, by the key above too. */
const expectations: Readonly<Record<string, string>> = {
  'vpcs': 'a list of VPCs such as - {name: shop}',
  'networks': 'a list: networks in full at the top of the document, names of networks in a router',
  'routers': 'a list: routers in full at the top of the document, the names of two routers in a peering',
  'peerings': 'a list of peerings such as - {name: shop-mail, routers: [shop, mail], routes: [{on: shop, to: 10.30.1.0/24}]}',
  'acls': 'a list of ACLs such as - {name: no-ssh, network: db, direction: in, priority: 100, match: {proto: tcp, dport: 22}, action: drop}',
  'ports': 'a list of ports such as - {name: web-1, network: web, ip: 10.20.1.11, host: h1, attach: {kind: netns}}',
  'hosts':
    'a list of hosts such as - {name: h1, roles: [broadcast, gateway]} or - {name: legacy-1, tunnelEnd: {ip: 10.7.2.50, mac: 02:00:00:00:00:50}}',
  'vips': 'a list of VIPs such as - {name: web-vip, network: web, ip: 10.20.1.100, ports: [web-1, web-2]}',
  name,
  'vpc': name,
  'network': name,
  'port': name,
  'host': 'the name of a host; only a port in a VLAN may leave it out, to have a gateway chosen',
  'on': name,
  'vm': name,
  'vni': `a whole number from 1 to ${maxVni}, or leave it out to have one assigned`,
  'mac': 'a MAC address such as 0e:00:00:00:00:01, or leave it out to have one assigned',
  'subnet': 'an IPv4 network with its length, such as 10.20.1.0/24',
  'subnet6': 'an IPv6 network with its length, such as fd00:20:1::/64',
  'gateway': 'an IPv4 address such as 10.20.1.1',
  'gateway6': 'an IPv6 address such as fd00:20:1::1',
  'ip': 'an IPv4 address such as 10.20.1.11',
  'ip6': 'an IPv6 address such as fd00:20:1::11',
  'tunnel': tunnelTypes.join(' or '),
  'broadcast': 'source, cluster or cluster+garp',
  'mtu': 'a whole number of bytes from 1280 to 9000',
  'routes': 'a list of routes: {to: 10.99.0.0/16, via: 10.20.1.11} in a router, {on: shop, to: 10.30.1.0/24} in a peering',
  'to': cidrText,
  'via': ipText,
  'direction': 'in (towards the port) or out (from it)',
  'priority': `a whole number from 1 to ${maxAclPriority}`,
  'match': 'a map such as {proto: tcp, dport: 22}, or {} for all packets',
  'proto': 'tcp, udp, icmp, icmp6 or a protocol number from 0 to 255',
  'src': cidrText,
  'dst': cidrText,
  'sport': ports,
  'dport': ports,
  'action': 'allow or drop',
  'stateful': 'true or false',
  'log': 'true or false',
  'allow': 'a list of networks such as [10.99.0.0/16]',
  'attach': 'one of {kind: netns}, {kind: vm, vm: NAME}, {kind: vlan, nic: eth1, vlan: 100} and {kind: remote}',
  'kind': 'netns, vm, vlan or remote',
  'nic': 'the name of a network interface of the host, such as eth1',
  'vlan': 'a whole number from 1 to 4094',
  'roles': `a list of roles: ${hostRoles.join(', ')}`,
  'tunnelEnd': 'where the tunnels of a host without an agent end, such as {ip: 10.7.2.50, mac: 02:00:00:00:00:50}',
  'tunnelEnd.mac': 'the MAC address that answers there, such as 02:00:00:00:00:50',
  'vips.ip': ipText,
  'vips.ports': 'a list of the names of its ports such as [web-1, web-2]',
  'healthCheck': 'one of {tcp: 3306}, {http: /health, port: 8080} and {command: [pg_isready, -q]}',
  'tcp': portText,
  'http': 'the path to ask for, such as /health',
  'command': 'a program and its arguments, such as [pg_isready, -q]',
  'healthCheck.port': portText,
  'priorities': 'a map of ports to whole numbers from 0 to 255, such as {web-1: 100}',
  'priorities.*': 'a whole number from 0 to 255',
}

/** What belongs at a place, for people: `an IPv4 address such as 10.20.1.11`. */
export function expectedAt(place: readonly PropertyKey[]): string {
  const [key, above] = place.filter((step) => typeof step === 'string').toReversed()
  if (key === undefined) return `a map with some of the keys ${keysAt([]).join(', ')}`
  return expectations[`${above}.${key}`] ?? expectations[`${above}.*`] ?? expectations[key]!
}
