import type { DropReason } from '../../model/trace.ts'
import type { TunnelType } from '../../model/network.ts'
import type { HopList } from './hops.ts'
import { unknownHost, type World } from './world.ts'

/** What a tunnel adds to a frame: IPv4 (RFC 791), UDP and VXLAN (RFC 7348 §5), or GRE with a key (RFC 2890). The inner Ethernet header counts too. */
export const tunnelOverheadBytes: Record<TunnelType, number> = { vxlan: 20 + 8 + 8, gre: 20 + 8 }

/** IEEE 802.1Q. */
const vlanTagBytes = 4

/** What stops a packet on the underlay. */
export type Stop = { host: string; device: string; reason: DropReason; object: string | null }

/** One end of a tunnel. */
interface TunnelEnd {
  host: string
  tunnel: TunnelType
  vni: number
}

/** A frame enters a tunnel. `to`: the host that it is for; `passedOver`: only for a broadcast node, those that should have it instead. */
export function encapsulate(
  world: World,
  { host, tunnel, vni, to, passedOver }: TunnelEnd & { to: string; passedOver?: string[] },
  hops: HopList,
): void {
  const far = passedOver ? `broadcast node ${to}` : to
  const instead = passedOver?.length ? `, since ${passedOver.join(' and ')} ${passedOver.length === 1 ? 'does' : 'do'} not answer` : ''
  hops.add({
    ...{ kind: 'virtual', objects: networkOf(world, vni), host, device: tunnel, in: 'br-int' },
    ...{ out: world.hosts.get(host)?.nic?.name ?? null, action: 'encapsulated' },
    detail: `${tunnel.toUpperCase()}, VNI ${vni}, to ${far}${instead}`,
  })
}

/** A frame leaves a tunnel. Answers what stops it, or null. */
export function decapsulate(world: World, { host, tunnel, vni }: TunnelEnd, hops: HopList): Stop | null {
  const { switchState, nic } = world.hosts.get(host) ?? unknownHost
  if (switchState === 'down') return { host, device: 'br-int', reason: 'switch-down', object: `forwarding/${host}` }
  hops.add({
    ...{ kind: 'virtual', objects: networkOf(world, vni), host, device: tunnel, in: nic?.name ?? 'tenant' },
    ...{ out: 'br-int', action: 'decapsulated', detail: `VNI ${vni}` },
  })
  return null
}

function networkOf(world: World, vni: number): string[] {
  const network = world.index.input.network.networks.find((one) => one.vni === vni)
  return network ? [`network/${network.name}`] : []
}

/** A packet between two hosts: length of the IP packet, and the device on the inside of both NICs. */
export interface WirePassage {
  from: string
  to: string
  bytes: number
  inside: string
}

/**
 * From NIC to NIC, as cables are known from LLDP. Where the two hosts hang on different switches, what joins these cannot be seen from
 * hosts: the second switch is inferred. Answers what stops it, or null.
 */
export function passWire(world: World, { from, to, bytes, inside }: WirePassage, hops: HopList): Stop | null {
  const [near, far] = [world.hosts.get(from) ?? unknownHost, world.hosts.get(to) ?? unknownHost]
  const [nearNic, farNic] = [near.nic?.name ?? 'tenant', far.nic?.name ?? 'tenant']
  const detail = `${bytes} bytes`
  if (near.nic?.state === 'missing') return { host: from, device: nearNic, reason: 'nic-missing', object: `nic/${from}/${nearNic}` }
  if (near.nic && bytes > near.nic.mtuBytes) return { host: from, device: nearNic, reason: 'mtu', object: `nic/${from}/${nearNic}` }
  const outgoing = hops.add({ kind: 'physical', host: from, device: nearNic, in: inside, action: 'sent', detail })
  if (near.nic?.state === 'down') return { host: from, device: nearNic, reason: 'link-down', object: linkOf(from, nearNic, near.cable) }
  for (const [index, end] of [near.cable, far.cable].entries()) {
    if (!end || (index === 1 && end.switch === near.cable?.switch)) continue
    outgoing.out ??= end.port
    const both = near.cable?.switch === far.cable?.switch
    hops.add({
      kind: 'physical',
      host: end.switch,
      device: end.switch,
      in: index === 0 ? end.port : null,
      out: index === 1 ? end.port : both ? (far.cable?.port ?? null) : null,
      evidence: 'inferred',
      action: 'switched',
      detail: index === 0 ? `in at ${end.port}` : `out at ${end.port}`,
    })
  }
  if (far.nic?.state === 'missing') return { host: to, device: farNic, reason: 'nic-missing', object: `nic/${to}/${farNic}` }
  if (far.nic?.state === 'down') return { host: to, device: farNic, reason: 'link-down', object: linkOf(to, farNic, far.cable) }
  if (far.state === 'down') return { host: to, device: farNic, reason: 'host-down', object: `host/${to}` }
  const silent = silentLink(world, from, to)
  if (silent) return silent
  hops.add({ kind: 'physical', host: to, device: farNic, in: far.cable?.port ?? null, out: inside, action: 'received', detail })
  // What is larger than the NIC takes is not taken in; there is room for a VLAN tag, though, which is not looked for (Linux, __is_skb_forwardable).
  return far.nic && bytes > far.nic.mtuBytes + vlanTagBytes ? { host: to, device: farNic, reason: 'mtu', object: `nic/${to}/${farNic}` } : null
}

/**
 * Where heartbeats of two hosts are lost though both NICs have a carrier: the cable at which they must be, by who still hears whom. A host
 * that not even its neighbours on the same switch hear is cut off at its own port; where both ends are heard by such neighbours, it is
 * what joins the switches. Null where heartbeats pass, or nobody fresh says.
 */
function silentLink(world: World, from: string, to: string): Stop | null {
  if (passes(world, from, to) !== false) return null
  const [near, far] = [world.hosts.get(from)!, world.hosts.get(to)!]
  const silent = { reason: 'link-silent' as const }
  const ends = [to, from].map((name) => ({ name, state: world.hosts.get(name)!, heard: heardOnItsSwitch(world, name) }))
  const cut = ends.find(({ heard }) => heard === false)
  if (cut) {
    const { cable, nic } = cut.state
    return { ...silent, host: cable!.switch, device: cable!.port, object: linkOf(cut.name, nic?.name ?? 'tenant', cable) }
  }
  if (!near.cable || !far.cable || near.cable.switch === far.cable.switch)
    return { ...silent, host: from, device: near.nic?.name ?? 'tenant', object: null }
  const [a, b] = [near.cable.switch, far.cable.switch]
  const object = ends.every(({ heard }) => heard === true) ? `link/${[a, b].sort().join('--')}` : null
  return { ...silent, host: a, device: a, object }
}

/** Whether heartbeats pass between two hosts, in any direction; null: not known. */
function passes({ hosts }: World, a: string, b: string): boolean | null {
  const words = [hosts.get(a)?.hears.get(b), hosts.get(b)?.hears.get(a)]
  return words.includes('up') ? true : words.every((word) => word === 'down') ? false : null
}

/** Whether any other host on a host's own switch hears it; null where there is none that could. */
function heardOnItsSwitch(world: World, name: string): boolean | null {
  const cable = world.hosts.get(name)?.cable
  const words = [...world.hosts]
    .filter(([other, { cable: end, state }]) => other !== name && cable && end?.switch === cable.switch && state === 'up')
    .map(([other]) => passes(world, name, other))
  return words.includes(true) ? true : words.includes(false) ? false : null
}

/** A link by both its ends, as core/topology names it. */
function linkOf(host: string, nic: string, cable: { switch: string; port: string } | null): string {
  return cable ? `link/${host}/${nic}--${cable.switch}/${cable.port}` : `nic/${host}/${nic}`
}
