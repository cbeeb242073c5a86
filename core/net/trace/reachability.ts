import type { Port } from '../../model/network.ts'
import { HoldfastError } from '../../errors.ts'
import type { DropReason, TraceRequest } from '../../model/trace.ts'
import { cidrHasIp, parseCidr, parseIp, type Cidr } from '../address.ts'
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

/** Computes it by one simulated trace for each pair of classes. Throws `not-found` for a VPC that there is not. */
export function reachabilityOf(world: World, vpc: string, probe: Probe): Reachability {
  const { index } = world
  if (!index.input.network.vpcs.some(({ name }) => name === vpc)) {
    throw new HoldfastError('not-found', `There is no VPC ${vpc}`, 'See: holdfast inventory list vpcs.', { vpc })
  }
  const ports = index.input.network.ports.filter((port) => index.networks.get(port.network)!.vpc === vpc)
  const classes = classesOf(world, vpc, ports)
  const reaches: Reach[] = [{ reason: null, object: null }]
  const numbers = new Map([[keyOf(reaches[0]!), 0]])
  const cells = classes.map((senders) =>
    classes.map((receivers) => {
      const pair = pairOf(senders, receivers)
      if (!pair) return 0
      const { verdict, drop } = traceSimulated(world, { ...probe, from: pair[0].name, to: pair[1].name })
      const reach: Reach =
        verdict === 'delivered' ? { reason: null, object: null } : { reason: drop?.reason ?? 'unknown-destination', object: drop?.object ?? null }
      const known = numbers.get(keyOf(reach))
      if (known !== undefined) return known
      numbers.set(keyOf(reach), reaches.length)
      return reaches.push(reach) - 1
    }),
  )
  const classOf = new Map(classes.flatMap((members, number) => members.map((port) => [port.name, number] as const)))
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

/** Two different ports, on different hosts where that can be: what is between hosts is then part of the answer. */
function pairOf(senders: readonly Port[], receivers: readonly Port[]): [Port, Port] | null {
  const [from] = senders
  if (!from) return null
  const elsewhere = receivers.find((port) => port.host !== from.host)
  if (elsewhere) return [from, elsewhere]
  const other = receivers.find((port) => port.name !== from.name)
  return other ? [from, other] : null
}

/**
 * Ports that nothing in the network or below it tells apart: the same network, the same ACLs of their own, in the same prefixes that any
 * ACL or route names, and on hosts of which nothing special is known.
 */
function classesOf(world: World, vpc: string, ports: readonly Port[]): Port[][] {
  const prefixes = prefixesIn(world, vpc)
  const groups = new Map<string, Port[]>()
  for (const port of ports) {
    const addresses = [port.ip, port.ip6].flatMap((ip) => (ip === undefined ? [] : [parseIp(ip)!]))
    const within = prefixes.map((prefix) => (addresses.some((ip) => cidrHasIp(prefix, ip)) ? '1' : '0')).join('')
    const acls = (world.index.aclsOfPort.get(port.name) ?? []).map(({ name }) => name)
    const key = [port.network, acls.join(), within, port.ip6 === undefined, peculiarity(world, port)].join(' ')
    const group = groups.get(key)
    if (group) group.push(port)
    else groups.set(key, [port])
  }
  return [...groups.values()]
}

/** Every prefix by which flows of this VPC may tell addresses apart. */
function prefixesIn({ index }: World, vpc: string): Cidr[] {
  const { networks, ports, input } = index
  const inVpc = (network: string | undefined): boolean => network !== undefined && networks.get(network)?.vpc === vpc
  const texts = new Set<string>()
  for (const acl of input.network.acls) {
    if (!inVpc(acl.network ?? ports.get(acl.port!)?.network)) continue
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
