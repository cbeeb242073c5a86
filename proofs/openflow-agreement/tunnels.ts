import type { Tunnel } from '../../core/net/openflow/pipeline.ts'
import { buildFrame } from '../../core/net/packet/build.ts'
import { concatBytes, fromHex, macAt, read16, read32, toHex, write16, write32 } from '../../core/net/packet/bytes.ts'
import { etherTypes, protocols } from '../../core/net/packet/packet.ts'
import { tunnelPorts, underlay } from './dummy-switch.ts'

/** Outer headers: VXLAN (RFC 7348) and GRE with a key (RFC 2890) for Ethernet. */

const vxlanPort = 4789
const greFlags = 0x2000_6558

/** A frame as it comes from a far end to the switch. */
export function encapsulated(port: number, { id, src, dst }: Tunnel, frame: Uint8Array): Uint8Array {
  const vxlan = port === tunnelPorts.vxlan
  const header = new Uint8Array(vxlan ? 16 : 8)
  if (vxlan) {
    write16(header, 0, 50_000)
    write16(header, 2, vxlanPort)
    write16(header, 4, header.length + frame.length)
    header[8] = 8
    write32(header, 12, (id << 8) >>> 0)
  } else {
    write32(header, 0, greFlags)
    write32(header, 4, id)
  }
  return buildFrame({
    dst: underlay.mac,
    src: underlay.ends[src]!,
    vlans: [],
    etherType: etherTypes.ip4,
    ip: {
      version: 4,
      src,
      dst,
      protocol: vxlan ? protocols.udp : 47,
      ttl: 64,
      tos: 0,
      id: 0,
      dontFragment: true,
      moreFragments: false,
      fragmentOffsetBytes: 0,
      options: new Uint8Array(),
    },
    payload: concatBytes(header, frame),
  })
}

/** What left by the underlay: by which tunnel, and its `tunnelText`. */
export function readOuter(hex: string): { port: number | string; text: string } {
  const bytes = fromHex(hex)
  const end = Object.entries(underlay.ends).find(([, mac]) => mac === macAt(bytes, 0))?.[0]
  if (bytes[23] === protocols.udp && read16(bytes, 36) === vxlanPort) {
    return { port: tunnelPorts.vxlan, text: tunnelText(read32(bytes, 46) >>> 8, end, toHex(bytes.subarray(50))) }
  }
  if (bytes[23] === 47 && read32(bytes, 34) === greFlags)
    return { port: tunnelPorts.gre, text: tunnelText(read32(bytes, 38), end, toHex(bytes.subarray(42))) }
  return { port: 'phy', text: hex }
}

/** One frame by a tunnel: its key, its far end and what is inside. */
export function tunnelText(id: number, end: string | undefined, frame: string): string {
  return `${id} ${end} ${frame}`
}
