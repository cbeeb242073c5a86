import { z } from 'zod'
import { ipv4Schema, macSchema, nameSchema, wallMsSchema } from './common.ts'

/**
 * The virtual network as it is to be: what administrators declare, with the numbers that were assigned when it was applied. Names are
 * unique within their kind, over all VPCs.
 */

const int = (min: number, max: number) => z.number().int().min(min).max(max)
export const ipv6Schema = z.ipv6()
export const ipSchema = z.union([ipv4Schema, ipv6Schema])
const cidrSchema = z.union([z.cidrv4(), z.cidrv6()])

/** VXLAN network identifier (RFC 7348, 24 bits), also used as the GRE key (RFC 2890). */
export const vniSchema = int(1, 0xff_ffff)
export const tunnelTypes = ['vxlan', 'gre'] as const
export type TunnelType = (typeof tunnelTypes)[number]

/**
 * How broadcast and multicast get to the other hosts of a network. `source`: the sender's host sends a copy to each of them. `cluster`: it
 * sends one to the broadcast cluster, which copies it. `cluster+garp`: besides, what is announced there by gratuitous ARP (RFC 5944 §4.6) or an
 * unsolicited neighbour advertisement (RFC 4861 §7.2.6) moves the addresses that are declared as VIPs, for layer 3 as well.
 */
export const broadcastModes = ['source', 'cluster', 'cluster+garp'] as const
export type BroadcastMode = (typeof broadcastModes)[number]
export const defaultBroadcastMode: BroadcastMode = 'cluster+garp'

/** MTU of a network unless declared: fits VXLAN and GRE over IPv4 into an underlay of 1,500 bytes. */
export const defaultMtuBytes = 1450

/** A tenant's space of addresses. Two VPCs never see each other, unless routers of theirs are peered. Id: its name. */
export const vpcSchema = z.looseObject({ name: nameSchema })
export type Vpc = z.infer<typeof vpcSchema>

/** A broadcast domain of the overlay. `gateway` is answered by the router that the network is attached to. Id: its name. */
export const networkSchema = z.looseObject({
  name: nameSchema,
  vpc: nameSchema,
  vni: vniSchema,
  subnet: z.cidrv4(),
  gateway: ipv4Schema.optional(),
  subnet6: z.cidrv6().optional(),
  gateway6: ipv6Schema.optional(),
  tunnel: z.enum(tunnelTypes),
  broadcast: z.enum(broadcastModes).default(defaultBroadcastMode),
  /** Largest IP packet that its ports may send, headers included, Ethernet's not. */
  mtuBytes: int(1280, 9000),
})
export type Network = z.infer<typeof networkSchema>

/** Where a router sends what is not for a network of its own. `via` is the address of a port on one of its networks. */
export const routeSchema = z.looseObject({ to: cidrSchema, via: ipSchema })
export type Route = z.infer<typeof routeSchema>

/** A distributed router: every host routes for its own ports. A network is attached to one router at most. Id: its name. */
export const routerSchema = z.looseObject({
  name: nameSchema,
  vpc: nameSchema,
  networks: z.array(nameSchema),
  routes: z.array(routeSchema),
  /** Its number in flows. */
  number: int(1, 0xffff),
  /** Its address on every network: the same on every host. */
  mac: macSchema,
})
export type Router = z.infer<typeof routerSchema>

/** Joins two routers of different VPCs: each sends what goes `to` these prefixes to the other's networks and static routes, and no further. Id: its name. */
export const peeringSchema = z.looseObject({
  name: nameSchema,
  routers: z.tuple([nameSchema, nameSchema]),
  /** `on` is the router that has the route. */
  routes: z.array(z.looseObject({ on: nameSchema, to: cidrSchema })),
})
export type Peering = z.infer<typeof peeringSchema>

const portMatchSchema = z.union([int(0, 65_535), z.tuple([int(0, 65_535), int(0, 65_535)])])
/** Every key is optional; what is not said matches all. A range of ports includes both ends. */
export const aclMatchSchema = z.looseObject({
  proto: z.union([z.enum(['tcp', 'udp', 'icmp', 'icmp6']), int(0, 255)]).optional(),
  src: cidrSchema.optional(),
  dst: cidrSchema.optional(),
  sport: portMatchSchema.optional(),
  dport: portMatchSchema.optional(),
})
export type AclMatch = z.infer<typeof aclMatchSchema>

/** Highest priority of an ACL. */
export const maxAclPriority = 10_000

/**
 * What ports may receive (`in`: towards the port) or send (`out`: from it). For each packet the matching one of highest priority decides,
 * `drop` before `allow` among equals; without a match it is allowed. Answers of an allowed connection pass, unless the one that decides is
 * stateless. ARP and neighbour discovery are not subject to ACLs. Holds for one port or for all of a network. Id: its name.
 */
export const aclSchema = z.looseObject({
  name: nameSchema,
  network: nameSchema.optional(),
  port: nameSchema.optional(),
  direction: z.enum(['in', 'out']),
  priority: int(1, maxAclPriority),
  match: aclMatchSchema,
  action: z.enum(['allow', 'drop']),
  stateful: z.boolean(),
  log: z.boolean(),
})
export type Acl = z.infer<typeof aclSchema>

/**
 * What hangs on a port. `netns`: a light guest of the agent's making. `vlan`: a physical server, in a VLAN at this NIC of every gateway.
 * `remote`: whatever a host without our agent has at its end of the tunnel.
 */
export const attachmentSchema = z.discriminatedUnion('kind', [
  z.looseObject({ kind: z.literal('netns') }),
  z.looseObject({ kind: z.literal('vm'), vm: nameSchema }),
  z.looseObject({ kind: z.literal('vlan'), nic: z.string(), vlan: int(1, 4094) }),
  z.looseObject({ kind: z.literal('remote') }),
])
export type Attachment = z.infer<typeof attachmentSchema>

/** Numbers of ports in flows: also their OpenFlow port and conntrack zone on their host. Below lie tunnels and other ports of the switch. */
export const portNumberSchema = int(256, 65_000)

/** Where a guest is plugged in. Id: its name. */
export const portSchema = z.looseObject({
  name: nameSchema,
  network: nameSchema,
  mac: macSchema,
  ip: ipv4Schema,
  ip6: ipv6Schema.optional(),
  /** Other sources that it may send from, e.g. what it routes for. */
  allow: z.array(cidrSchema),
  /** Where it is; of a port in a VLAN the gateway that it is at unless another has taken over. */
  host: nameSchema,
  attach: attachmentSchema,
  number: portNumberSchema,
})
export type Port = z.infer<typeof portSchema>

/** What a host does beside having ports. `broadcast`: a node of the broadcast cluster. `gateway`: joins VLANs to networks. */
export const hostRoles = ['broadcast', 'gateway'] as const
export type HostRole = (typeof hostRoles)[number]

/** Where a host's tunnels end, as seen by the others: its address on the tenant plane (mgmt where it has none) and the MAC that answers there. */
export const tunnelEndSchema = z.looseObject({ ip: ipv4Schema, mac: macSchema })
export type TunnelEnd = z.infer<typeof tunnelEndSchema>

/** What is declared of a host of the cluster, or of one without our agent: that has a `tunnelEnd` and no roles. Id: its name. */
export const networkHostSchema = z.looseObject({ name: nameSchema, roles: z.array(z.enum(hostRoles)), tunnelEnd: tunnelEndSchema.optional() })
export type NetworkHost = z.infer<typeof networkHostSchema>

/** How the members of a VIP are asked whether they are well; a command is run in the guest, and well where it exits 0. */
export const healthCheckSchema = z.union([
  z.looseObject({ tcp: int(1, 65_535) }),
  z.looseObject({ http: z.string(), port: int(1, 65_535).optional() }),
  z.looseObject({ command: z.array(z.string()) }),
])
export type HealthCheck = z.infer<typeof healthCheckSchema>

/**
 * A floating address of a network: at any time it is at one of these ports. Which one they settle among themselves (VRRP, RFC 5798) and announce;
 * with a `healthCheck` it is given to the one that is well and has the highest priority, among equals the first in the list. Id: its name.
 */
export const vipSchema = z.looseObject({
  name: nameSchema,
  network: nameSchema,
  ip: ipSchema,
  ports: z.array(nameSchema),
  healthCheck: healthCheckSchema.optional(),
  /** By port; 0 for those that are not named. */
  priorities: z.record(nameSchema, int(0, 255)).optional(),
})
export type Vip = z.infer<typeof vipSchema>

/** The last numbers given: a number is not used again before all others were, so that nothing of its last owner is left anywhere. */
const lastSchema = z.looseObject({
  vni: z.number().int(),
  router: z.number().int(),
  port: z.number().int(),
  /** Of the declared nodes of the broadcast cluster: rises with every change of them. */
  broadcastEpoch: z.number().int().default(0),
})

/** The whole of it. Lists are sorted by name, so that the same network is the same bytes. */
export const virtualNetworkSchema = z.looseObject({
  vpcs: z.array(vpcSchema),
  networks: z.array(networkSchema),
  routers: z.array(routerSchema),
  peerings: z.array(peeringSchema),
  acls: z.array(aclSchema),
  ports: z.array(portSchema),
  hosts: z.array(networkHostSchema).default([]),
  vips: z.array(vipSchema).default([]),
  last: lastSchema,
})
export type VirtualNetwork = z.infer<typeof virtualNetworkSchema>

export const emptyVirtualNetwork: VirtualNetwork = {
  vpcs: [],
  networks: [],
  routers: [],
  peerings: [],
  acls: [],
  ports: [],
  hosts: [],
  vips: [],
  last: { vni: 0, router: 0, port: 0, broadcastEpoch: 0 },
}

/** Which revision of the virtual network its reporter's documents are. Id: `overlay`. The cluster's leader reports them. */
export const overlaySchema = z.looseObject({ revision: z.number().int(), last: lastSchema })
export type Overlay = z.infer<typeof overlaySchema>

/** How a host forwards: what its network module reports. Id: the host's name. */
export const forwardingSchema = z.looseObject({
  host: nameSchema,
  /** Store revision of the virtual network that is in place here; null before the first. */
  revision: z.number().int().nullable(),
  state: z.enum(['up', 'degraded', 'down']),
  /** What is wrong, in a sentence each. */
  problems: z.array(z.string()),
  datapath: z.enum(['kernel', 'userspace']),
  /** Name of the NIC that is to carry tunnels. */
  nic: z.string().optional(),
  tunnelEnd: tunnelEndSchema,
  /** Largest packet of the NIC that carries tunnels, bytes. */
  underlayMtuBytes: z.number().int(),
  flows: z.number().int(),
  ports: z.number().int(),
  /** Ports that have no device here, or one without a carrier. */
  portsDown: z.array(nameSchema),
  /** How often flows were found altered by others and put right since the module started. */
  repairs: z.number().int(),
  /** How often the switch was started anew since the module started. */
  switchRestarts: z.number().int(),
  changedAtMs: wallMsSchema,
})
export type Forwarding = z.infer<typeof forwardingSchema>
