import { HoldfastError } from '../../../core/errors.ts'
import { parseIpv4 } from '../../../core/net/address.ts'
import { ip4At, macAt, macBytes } from '../../../core/net/packet/bytes.ts'

/** An address on the plane that carries tunnels, and the MAC that frames to it must have: of the next hop, where that is not its own. */
export interface UnderlayAddress {
  ip: string
  mac: string
}

/** `enum whose` of program/maps.h. */
export const whose = { anothers: 0, ours: 1, floating: 2 } as const

/** An address that is answered for here; a floating one until somebody else announces it. */
export interface ReplicatorAddress extends UnderlayAddress {
  floating?: boolean
}

/** Where the tunnels of a host end that has ports in a network, and which tunnels it takes. */
export interface Member extends UnderlayAddress {
  tunnel: 'vxlan' | 'gre'
}

/** MAX_MEMBERS of program/maps.h. */
export const maxMembers = 4096
/** 24 bits, RFC 7348. */
const maxVni = 0xff_ffff
/** `struct member` and `struct head` of program/maps.h. */
const elementBytes = 12

/** Four bytes in network order. Throws `bad-input`. */
export function ip4Bytes(ip: string): Buffer {
  const value = parseIpv4(ip)
  if (value === null) throw new HoldfastError('bad-input', `${ip} is no IPv4 address`, 'Tunnels end at IPv4 addresses.', { ip })
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** The elements of the list of a VNI's members: a head, then those that take VXLAN, then those that take GRE. Throws `bad-input`. */
export function encodeMembers(vni: number, members: readonly Member[], hostIp: string | null): Buffer[] {
  if (!Number.isInteger(vni) || vni < 0 || vni > maxVni)
    throw new HoldfastError('bad-input', `${vni} is no VNI`, `A VNI is a number from 0 to ${maxVni}.`, { vni })
  if (members.length > maxMembers)
    throw new HoldfastError(
      'bad-input',
      `VNI ${vni} has ${members.length} member hosts, and a broadcast node copies to ${maxMembers} at most`,
      'Split the network, or choose another way of broadcast for it.',
      { vni, members: members.length, maxMembers },
    )
  const seen = new Set<string>()
  const twice = members.find(({ ip }) => seen.size === seen.add(ip).size)
  if (twice) throw new HoldfastError('bad-input', `VNI ${vni} has the member ${twice.ip} twice`, 'Name each host once.', { vni, ip: twice.ip })
  const vxlan = members.filter(({ tunnel }) => tunnel === 'vxlan')
  const gre = members.filter(({ tunnel }) => tunnel === 'gre')
  const head = Buffer.alloc(elementBytes)
  head.writeUInt32LE(vxlan.length, 0)
  head.writeUInt32LE(gre.length, 4)
  return [head, ...[...vxlan, ...gre].map((member) => encodeMember(member, member.ip === hostIp))]
}

/** A `struct member`. */
export function encodeMember({ ip, mac }: UnderlayAddress, isSelf = false): Buffer {
  return Buffer.concat([ip4Bytes(ip), macBytes(mac), Buffer.from([Number(isSelf), 0])])
}

/** How many copies the fast path may have to make of a frame, from nobody or from one of the list: 0 where some of them are not for it. */
export function fastCopies([head, ...elements]: readonly Buffer[]): number {
  const [vxlan, gre] = [head!.readUInt32LE(0), head!.readUInt32LE(4)]
  return (vxlan === 0 || gre === 0) && elements.every((element) => element.readUInt16LE(10) === 0) ? vxlan + gre : 0
}

/** The key of a list in `lists`, in its head; 0: it is not for the fast path. */
export function listKey(head: Buffer): number {
  return head.readUInt32LE(8)
}

export function setListKey(head: Buffer, key: number): void {
  head.writeUInt32LE(key, 8)
}

/** What `encodeMembers` made. */
export function decodeMembers(elements: readonly Buffer[]): Member[] {
  const vxlan = elements[0]?.readUInt32LE(0) ?? 0
  return elements.slice(1).map((element, index) => ({ ip: ip4At(element, 0), mac: macAt(element, 4), tunnel: index < vxlan ? 'vxlan' : 'gre' }))
}
