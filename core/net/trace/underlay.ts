import type { DropReason } from '../../model/trace.ts'
import type { TunnelType } from '../../model/network.ts'
import type { HopList } from './hops.ts'
import { unknownHost, type World } from './world.ts'

/** What a tunnel adds to a frame: IPv4 (RFC 791), UDP and VXLAN (RFC 7348 §5), or GRE with a key (RFC 2890). The inner Ethernet header counts too. */
export const tunnelOverheadBytes: Record<TunnelType, number> = { vxlan: 20 + 8 + 8, gre: 20 + 8 }

export interface TunnelPassage {
  from: string
  to: string
  tunnel: TunnelType
  vni: number
  /** Length of the inner frame, Ethernet header included. */
  frameBytes: number
}

type Ending = { host: string; device: string; reason: DropReason; object: string } | null

/**
 * The way of a tunnel's packet from NIC to NIC, as cables are known from LLDP. Where the two hosts hang on different switches, what joins
 * these cannot be seen from hosts: the second switch is inferred. Answers what stops it, or null.
 */
export function passUnderlay(world: World, { from, to, tunnel, vni, frameBytes }: TunnelPassage, hops: HopList): Ending {
  const [near, far] = [world.hosts.get(from) ?? unknownHost, world.hosts.get(to) ?? unknownHost]
  const outerBytes = frameBytes + tunnelOverheadBytes[tunnel]
  hops.add({
    kind: 'virtual',
    host: from,
    device: tunnel,
    in: 'br-int',
    out: near.nic?.name ?? null,
    action: 'encapsulated',
    detail: `${tunnel.toUpperCase()}, VNI ${vni}, to ${to}`,
  })
  const nearNic = near.nic?.name ?? 'tenant'
  if (near.nic && outerBytes > near.nic.mtuBytes) return { host: from, device: nearNic, reason: 'mtu', object: `nic/${from}/${nearNic}` }
  const outgoing = hops.add({ kind: 'physical', host: from, device: nearNic, in: tunnel, action: 'sent', detail: `${outerBytes} bytes` })
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
  const farNic = far.nic?.name ?? 'tenant'
  if (far.nic?.state === 'down') return { host: to, device: farNic, reason: 'link-down', object: linkOf(to, farNic, far.cable) }
  if (far.state === 'down') return { host: to, device: farNic, reason: 'host-down', object: `host/${to}` }
  hops.add({
    kind: 'physical',
    host: to,
    device: farNic,
    in: far.cable?.port ?? null,
    out: tunnel,
    action: 'received',
    detail: `${outerBytes} bytes`,
  })
  if (far.switchState === 'down') return { host: to, device: 'br-int', reason: 'switch-down', object: `forwarding/${to}` }
  hops.add({ kind: 'virtual', host: to, device: tunnel, in: farNic, out: 'br-int', action: 'decapsulated', detail: `VNI ${vni}` })
  return null
}

/** A link by both its ends, as core/topology names it. */
function linkOf(host: string, nic: string, cable: { switch: string; port: string } | null): string {
  return cable ? `link/${host}/${nic}--${cable.switch}/${cable.port}` : `nic/${host}/${nic}`
}
