import { errorMeter, switchPorts } from './tables.ts'
import { drop, goOn, join, set, threeBytes, type Emit } from './emit.ts'
import { cookieOf } from './cookie.ts'
import type { HostView } from './view.ts'

/**
 * Packets that earn an ICMP error go to the error port. OpenFlow has no action that builds one, so a program at its other end does
 * (agent/network/keeper), of which nothing must be configured: what it has to know is in the two MACs, which it needs for nothing else.
 * Destination `02:ee:KIND:VNI`, VNI that of the sender's network; source `02:ee:00:00:MTU`. Its answer comes back with the destination
 * `02:ee:KEEP:VNI` and enters at nextHop as if routed. KEEP 0: its source address becomes the gateway's.
 */
export const errorKinds = ['ttl', 'no-route', 'unreachable', 'port', 'too-big'] as const
export type ErrorKind = (typeof errorKinds)[number]

const prefix = '02:ee'
const byte = (value: number): string => value.toString(16).padStart(2, '0')

/** Actions that send a packet to the error port. */
export function sendError(kind: ErrorKind, mtuBytes = 0): string {
  return join(
    `meter:${errorMeter}`,
    set('eth_dst', `${prefix}:${byte(errorKinds.indexOf(kind))}:00:00:00`),
    'move:NXM_NX_REG10[0..23]->NXM_OF_ETH_DST[0..23]',
    set('eth_src', `${prefix}:00:00:${byte(mtuBytes >> 8)}:${byte(mtuBytes & 0xff)}`),
    `output:${switchPorts.error}`,
  )
}

/** Reads what `sendError` wrote into the MACs of a frame; null for a frame that no flow of ours sent there. */
export function readErrorRequest(frame: Uint8Array): { kind: ErrorKind; vni: number; mtuBytes: number } | null {
  if (frame.length < 34 || frame[0] !== 0x02 || frame[1] !== 0xee || frame[6] !== 0x02 || frame[7] !== 0xee) return null
  const kind = errorKinds[frame[2]!]
  if (kind === undefined) return null
  return { kind, vni: (frame[3]! << 16) | (frame[4]! << 8) | frame[5]!, mtuBytes: (frame[10]! << 8) | frame[11]! }
}

/** The destination MAC of the answer to a request. An unreachable port is answered by the address that was asked, all else by the gateway's. */
export function answerMac(kind: ErrorKind, vni: number): string {
  return `${prefix}:${byte(kind === 'port' ? 1 : 0)}:${threeBytes(vni)}`
}

/** What the error port answers goes to its network's sender as a routed packet does. */
export function emitErrorAnswers(view: HostView, emit: Emit): void {
  const enter = (vni: number, family: 4 | 6, source: string | undefined): string =>
    join(
      set('reg0', vni),
      source && set(family === 4 ? 'ip_src' : 'ipv6_src', source),
      family === 4 ? 'move:NXM_OF_IP_DST[]->NXM_NX_REG4[]' : 'move:NXM_NX_IPV6_DST[]->NXM_NX_XXREG1[]',
      goOn('nextHop'),
    )
  for (const network of view.localNetworks) {
    if (!view.index.routerOf.has(network.name)) continue
    const cookie = cookieOf('none', 'network', network.name)
    const from = (keep: number): string => `in_port=${switchPorts.error},dl_dst=${prefix}:${byte(keep)}:${threeBytes(network.vni)}`
    for (const keep of [0, 1]) {
      emit('classify', 100, cookie, `ip,${from(keep)}`, enter(network.vni, 4, keep ? undefined : network.gateway))
      if (network.gateway6) emit('classify', 100, cookie, `ipv6,${from(keep)}`, enter(network.vni, 6, keep ? undefined : network.gateway6))
    }
  }
  emit('classify', 1, cookieOf('none', 'pipeline', ''), `in_port=${switchPorts.error}`, drop)
}
