import type { Acl, Port } from '../../model/network.ts'
import { HoldfastError } from '../../errors.ts'
import type { DropReason, TraceRequest } from '../../model/trace.ts'
import { cidrHasIp, parseCidr, parseIp, type Cidr } from '../address.ts'
import { aclSpaceOf, hasPorts } from '../declaration/acl-space.ts'
import { traceSimulated } from './simulate.ts'
import { unknownHost, type World } from './world.ts'

/** What is asked of every pair. */
export type Probe = Pick<TraceRequest, 'proto' | 'dport'>

/** Why pairs do not reach each other; `reason` null: they do. */
export interface Reach {
  reason: DropReason | null
  object: string | null
}

/**
 * Who reaches whom among the ports of a VPC. Ports that nothing tells apart are one class: `cells[a][b]` is the index in `reaches` of what
 * holds from any port of class `a` to any other of class `b`, so that a million pairs are a small table. A port and itself is no pair.
 */
export interface Reachability {
  ports: { name: string; classNumber: number }[]
  reaches: Reach[]
  cells: number[][]
}

/** Ports that nothing tells apart but the names of their own ACLs: traces pass them alike. */
interface Kind {
  number: number
  ports: Port[]
}

/** Ports that nothing tells apart. */
interface PortClass {
  kind: Kind
  ports: Port[]
  /** Their own ACLs; those of another class of the same kind are the same but for their names, in the same order. */
  acls: readonly Acl[]
}

/** What a trace from one kind to another says. `own`: it names an ACL of the sender's or of the receiver's port, the one at that place. */
interface Traced {
  reach: Reach
  own: { end: 'from' | 'to'; at: number } | null
}

/** Computes it by one simulated trace for each pair of kinds of ports. Throws `not-found` for a VPC that there is not. */
export function reachabilityOf(world: World, vpc: string, probe: Probe): Reachability {
  const { index } = world
  if (!index.input.network.vpcs.some(({ name }) => name === vpc)) {
    throw new HoldfastError('not-found', `There is no VPC ${vpc}`, 'See: holdfast inventory list vpcs.', { vpc })
  }
  const ports = index.input.network.ports.filter((port) => index.networks.get(port.network)!.vpc === vpc)
  const classes = classesOf(world, vpc, ports, probe)
  const reaches: Reach[] = [{ reason: null, object: null }]
  const numbers = new Map([[keyOf(reaches[0]!), 0]])
  const traced = new Map<string, Traced>()
  const cellOf = (senders: PortClass, receivers: PortClass): number => {
    // One port alone: there is no pair.
    if (senders === receivers && senders.ports.length === 1) return 0
    const kinds = `${senders.kind.number} ${receivers.kind.number}`
    const known = traced.get(kinds) ?? traceBetween(world, probe, senders.kind, receivers.kind)
    traced.set(kinds, known)
    const named = known.own && (known.own.end === 'from' ? senders : receivers).acls[known.own.at]!.name
    const reach = named === null ? known.reach : { ...known.reach, object: `acl/${named}` }
    const number = numbers.get(keyOf(reach))
    if (number !== undefined) return number
    numbers.set(keyOf(reach), reaches.length)
    return reaches.push(reach) - 1
  }
  const cells = classes.map((senders) => classes.map((receivers) => cellOf(senders, receivers)))
  const classOf = new Map(classes.flatMap((members, number) => members.ports.map((port) => [port.name, number] as const)))
  return { ports: ports.map(({ name }) => ({ name, classNumber: classOf.get(name)! })), reaches, cells }
}

/** A pair that a change makes or breaks. */
export interface ReachChange {
  from: string
  to: string
  before: Reach
  after: Reach
}

/** Pairs that are there before and after and reach each other in one of the two only; at most `limit` are named, all are counted. */
export function reachabilityChanges(
  before: Reachability,
  after: Reachability,
  limit: number,
): { lost: number; gained: number; pairs: ReachChange[] } {
  const was = new Map(before.ports.map(({ name, classNumber }) => [name, classNumber]))
  const both = after.ports.filter(({ name }) => was.has(name))
  const counts = { lost: 0, gained: 0, pairs: [] as ReachChange[] }
  for (const from of both) {
    const rowBefore = before.cells[was.get(from.name)!]!
    const rowAfter = after.cells[from.classNumber]!
    for (const to of both) {
      const [old, now] = [rowBefore[was.get(to.name)!]!, rowAfter[to.classNumber]!]
      if ((old === 0) === (now === 0) || from === to) continue
      if (now === 0) counts.gained++
      else counts.lost++
      if (counts.pairs.length < limit) counts.pairs.push({ from: from.name, to: to.name, before: before.reaches[old]!, after: after.reaches[now]! })
    }
  }
  return counts
}

const keyOf = ({ reason, object }: Reach): string => `${reason} ${object}`

function traceBetween(world: World, probe: Probe, senders: Kind, receivers: Kind): Traced {
  const [from, to] = pairOf(senders.ports, receivers.ports)
  const { verdict, drop } = traceSimulated(world, { ...probe, from: from.name, to: to.name })
  // Unknown is only what becomes of it on a host without our agent: flows let it pass.
  if (verdict !== 'dropped') return { reach: { reason: null, object: null }, own: null }
  const reach = { reason: drop?.reason ?? ('unknown-destination' as const), object: drop?.object ?? null }
  for (const [end, port] of [['from', from] as const, ['to', to] as const]) {
    const at = ownAcls(world, port, probe).findIndex(({ name }) => reach.object === `acl/${name}`)
    if (at >= 0) return { reach, own: { end, at } }
  }
  return { reach, own: null }
}

/** Two different ports, on different hosts where that can be: what is between hosts is then part of the answer. There is such a pair. */
function pairOf([from]: readonly Port[], receivers: readonly Port[]): [Port, Port] {
  const to = receivers.find((port) => port.host !== from!.host) ?? receivers.find((port) => port.name !== from!.name)
  return [from!, to!]
}

/**
 * Ports that nothing in the network or below it tells apart: the same network, the same ACLs of their own, in the same prefixes that any
 * ACL or route names, and on hosts of which nothing special is known. ACLs that cannot judge the packets in question do not count.
 */
function classesOf(world: World, vpc: string, ports: readonly Port[], probe: Probe): PortClass[] {
  const prefixes = prefixesIn(world, vpc, probe)
  const kinds = new Map<string, Kind>()
  const classes = new Map<string, PortClass>()
  for (const port of ports) {
    const addresses = [port.ip, port.ip6].flatMap((ip) => (ip === undefined ? [] : [parseIp(ip)!]))
    const within = prefixes.map((prefix) => (addresses.some((ip) => cidrHasIp(prefix, ip)) ? '1' : '0')).join('')
    const acls = ownAcls(world, port, probe)
    const like = [port.network, within, port.ip6 === undefined, peculiarity(world, port), ...acls.map(meaningOf)].join(' ')
    const kind = kinds.get(like) ?? { number: kinds.size, ports: [] }
    kinds.set(like, kind)
    kind.ports.push(port)
    const key = [kind.number, ...acls.map(({ name }) => name)].join(' ')
    const members = classes.get(key) ?? { kind, ports: [], acls }
    classes.set(key, members)
    members.ports.push(port)
  }
  return [...classes.values()]
}

/** The ACLs of a port itself that may judge the packets in question, the same ones in the same order whatever they are called. */
function ownAcls({ index }: World, port: Port, probe: Probe): readonly Acl[] {
  const acls = (index.aclsOfPort.get(port.name) ?? []).filter((acl) => mayJudge(acl, probe))
  return acls.length < 2 ? acls : acls.toSorted((a, b) => (meaningOf(a) < meaningOf(b) ? -1 : meaningOf(a) > meaningOf(b) ? 1 : 0))
}

/** All of an ACL that decides: not its name, nor what it holds for. */
function meaningOf({ direction, priority, match: { proto, src, dst, sport, dport }, action, stateful }: Acl): string {
  return JSON.stringify([direction, priority, proto, src, dst, sport, dport, action, stateful])
}

const protocols: Record<Exclude<Probe['proto'], number>, readonly number[]> = { icmp: [1, 58], tcp: [6], udp: [17], arp: [] }

/** Whether an ACL can match what is asked or its answer, by protocol and port. */
function mayJudge({ match }: Acl, { proto, dport }: Probe): boolean {
  const space = aclSpaceOf(match)
  const asked = typeof proto === 'number' ? [proto] : protocols[proto]
  if (!asked.some((number) => space.proto === null || space.proto === number)) return false
  const has = ([first, last]: readonly [number, number]): boolean => first <= dport! && dport! <= last
  return !hasPorts(space) || dport === undefined || has(space.dport) || has(space.sport)
}

/** Every prefix by which flows of this VPC may tell addresses apart. */
function prefixesIn({ index }: World, vpc: string, probe: Probe): Cidr[] {
  const { networks, ports, input } = index
  const inVpc = (network: string | undefined): boolean => network !== undefined && networks.get(network)?.vpc === vpc
  const texts = new Set<string>()
  for (const acl of input.network.acls) {
    if (!mayJudge(acl, probe) || !inVpc(acl.network ?? ports.get(acl.port!)?.network)) continue
    for (const cidr of [acl.match.src, acl.match.dst]) if (cidr !== undefined) texts.add(cidr)
  }
  for (const router of input.network.routers) if (router.vpc === vpc) for (const { to } of router.routes) texts.add(to)
  return [...texts].sort().map((text) => parseCidr(text)!)
}

/** What is special about the host of a port, or about its device; empty where all is well. */
function peculiarity({ hosts, index }: World, port: Port): string {
  const { state, nic, switchState, portsDown } = hosts.get(port.host) ?? unknownHost
  if (portsDown.has(port.name)) return `port ${port.name}`
  const well = state !== 'down' && switchState !== 'down' && (nic?.state ?? 'up') !== 'down' && index.input.hosts.has(port.host)
  return well ? `mtu ${nic?.mtuBytes ?? 0}` : `host ${port.host}`
}
