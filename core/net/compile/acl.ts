import type { Acl, AclMatch } from '../../model/network.ts'
import { cookieOf } from './cookie.ts'
import { drop, goOn, join, type Emit } from './emit.ts'
import { portMasks } from './port-masks.ts'
import { tables } from './tables.ts'
import type { HostView } from './view.ts'

/**
 * Levels within one ACL priority. A packet is judged by the matching ACL of highest priority; of equals a dropping one comes first.
 * What conntrack knows as the answer of an allowed connection passes where a stateful ACL decides, so also where one would drop it.
 */
const level = { statelessDrop: 5, answer: 4, drop: 3, commit: 2, allow: 1, statelessAllow: 0 } as const
const levels = 6
const lowest = 100

/** One direction of the ACL stages. */
interface Direction {
  name: Acl['direction']
  track: 'trackOut' | 'trackIn'
  judge: 'aclOut' | 'aclIn'
  next: 'arpAnswer' | 'output'
  /** Register with the number of the port whose ACLs are asked. */
  port: 'reg1' | 'reg2'
}

const directions: readonly Direction[] = [
  { name: 'out', track: 'trackOut', judge: 'aclOut', next: 'arpAnswer', port: 'reg1' },
  { name: 'in', track: 'trackIn', judge: 'aclIn', next: 'output', port: 'reg2' },
]

/** Neighbour discovery and multicast listener messages (RFC 4861, RFC 3810): not subject to ACLs, since without them there is no IPv6. */
const exempt = [130, 131, 132, 133, 134, 135, 136, 137, 143]

/** Asks conntrack about what passes ports with stateful ACLs, then judges by ACLs. The zone is the port's number. */
export function emitAcls(view: HostView, emit: Emit): void {
  const pipeline = cookieOf('none', 'pipeline', '')
  const scopes = scopesOf(view)
  for (const direction of directions) {
    const zone = `NXM_NX_${direction.port.toUpperCase()}[0..15]`
    for (const type of exempt) emit(direction.track, 60_000, pipeline, `icmp6,icmp_type=${type}`, goOn(direction.next))
    for (const { match, kind, name, acls } of scopes) {
      if (!acls.some((acl) => acl.stateful)) continue
      for (const family of ['ip', 'ipv6']) {
        emit(direction.track, 100, cookieOf('none', kind, name), `${family},${match(direction)}`, `ct(table=${tables[direction.judge]},zone=${zone})`)
      }
    }
    // What the sender's zone said means nothing to the receiver's ACLs.
    emit(direction.track, 0, pipeline, '', join(direction.name === 'in' && 'ct_clear', goOn(direction.judge)))

    const commit = join(`ct(commit,zone=${zone})`, goOn(direction.next))
    for (const { match, acls } of scopes) {
      for (const acl of acls) if (acl.direction === direction.name) emitAcl(acl, match(direction), direction, commit, emit)
    }
    for (const family of ['ip', 'ipv6']) emit(direction.judge, 1, pipeline, `ct_state=+new+trk,${family}`, commit)
    emit(direction.judge, 0, pipeline, '', goOn(direction.next))
  }
}

function emitAcl(acl: Acl, scope: string, direction: Direction, commit: string, emit: Emit): void {
  const priority = (at: keyof typeof level): number => lowest + acl.priority * levels + level[at]
  const pass = goOn(direction.next)
  const decided = cookieOf(acl.action === 'drop' ? 'acl' : 'none', 'acl', acl.name)
  const passed = cookieOf('none', 'acl', acl.name)
  for (const match of matchesOf(acl.match)) {
    const found = join(match, scope)
    if (!acl.stateful)
      emit(direction.judge, priority(acl.action === 'drop' ? 'statelessDrop' : 'statelessAllow'), decided, found, acl.action === 'drop' ? drop : pass)
    else if (acl.action === 'drop') {
      emit(direction.judge, priority('answer'), passed, `ct_state=+rpl+trk,${found}`, pass)
      emit(direction.judge, priority('drop'), decided, found, drop)
    } else {
      emit(direction.judge, priority('commit'), passed, `ct_state=+new+trk,${found}`, commit)
      emit(direction.judge, priority('allow'), passed, found, pass)
    }
  }
}

interface Scope {
  kind: 'network' | 'port'
  name: string
  match: (direction: Direction) => string
  acls: readonly Acl[]
}

/** Where ACLs hold here: local networks and local ports that have some. */
function scopesOf(view: HostView): Scope[] {
  const { aclsOfNetwork, aclsOfPort } = view.index
  const networks = view.localNetworks.map((network): Scope => ({
    kind: 'network',
    name: network.name,
    match: () => `reg0=${network.vni}`,
    acls: aclsOfNetwork.get(network.name) ?? [],
  }))
  const ports = view.localPorts.map((port): Scope => ({
    kind: 'port',
    name: port.name,
    match: (at) => `${at.port}=${port.number}`,
    acls: aclsOfPort.get(port.name) ?? [],
  }))
  return [...networks, ...ports].filter(({ acls }) => acls.length > 0)
}

const protocols: Record<string, number> = { icmp: 1, tcp: 6, udp: 17, icmp6: 58 }
/** Protocols with ports, by number, as ovs-ofctl names them for each family. */
const withPorts = new Map<number, readonly [ip: string, ipv6: string]>([
  [6, ['tcp', 'tcp6']],
  [17, ['udp', 'udp6']],
  [132, ['sctp', 'sctp6']],
])

/** An ACL's match as OpenFlow matches: one for each address family that it can mean, and for each mask that its ranges of ports need. */
export function matchesOf(match: AclMatch): string[] {
  const proto = typeof match.proto === 'string' ? protocols[match.proto] : match.proto
  const cidr = match.src ?? match.dst
  const families = ([4, 6] as const).filter((family) => {
    if (cidr !== undefined && cidr.includes(':') !== (family === 6)) return false
    return !((proto === 1 && family === 6) || (proto === 58 && family === 4))
  })
  return families.flatMap((family) => {
    const named = proto === undefined ? undefined : withPorts.get(proto)?.[family === 4 ? 0 : 1]
    const base = join(
      named ?? (family === 4 ? 'ip' : 'ipv6'),
      named === undefined && proto !== undefined && `nw_proto=${proto}`,
      match.src !== undefined && `${family === 4 ? 'nw_src' : 'ipv6_src'}=${match.src}`,
      match.dst !== undefined && `${family === 4 ? 'nw_dst' : 'ipv6_dst'}=${match.dst}`,
    )
    const sources = portMasks('tp_src', match.sport)
    const destinations = portMasks('tp_dst', match.dport)
    return sources.flatMap((source) => destinations.map((destination) => join(base, source, destination)))
  })
}
