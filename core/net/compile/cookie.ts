import type { VirtualNetwork } from '../../model/network.ts'

/** Why a flow drops what it matches, or has it answered with an ICMP error. `none`: it passes it on. Part of the cookie: append only. */
export const flowReasons = [
  'none',
  'acl',
  'no-route',
  'port-security',
  'unknown-destination',
  'ttl',
  'mtu',
  'wrong-vni',
  'host-down',
  'vip-claim',
] as const
export type FlowReason = (typeof flowReasons)[number]

/** Kinds of objects that flows are made from. `pipeline`: the same on every host. Part of the cookie: append only. */
export const ownerKinds = ['pipeline', 'vpc', 'network', 'router', 'peering', 'acl', 'port', 'vip'] as const
export type OwnerKind = (typeof ownerKinds)[number]

/** What a flow was made from. */
export interface FlowOwner {
  kind: OwnerKind
  name: string
}

/**
 * A flow's cookie, 64 bits: reason (8), kind of its owner (8), hash of the owner's name (48). So it does not change with anything else
 * than its own flow's meaning, and it is never 0, which `ofproto/trace` would not print.
 */
export function cookieOf(reason: FlowReason, kind: OwnerKind, name: string): string {
  const head = flowReasons.indexOf(reason) * 256 + ownerKinds.indexOf(kind)
  const hash = hash48(name).toString(16)
  return head === 0 ? `0x${hash}` : `0x${head.toString(16)}${hash.padStart(12, '0')}`
}

/** Reads a cookie; null for one that is not ours. */
export function parseCookie(cookie: string): { reason: FlowReason; kind: OwnerKind; hash: number } | null {
  const value = BigInt(cookie)
  const reason = flowReasons[Number(value >> 56n)]
  const kind = ownerKinds[Number((value >> 48n) & 0xffn)]
  return reason && kind && value !== 0n ? { reason, kind, hash: Number(value & 0xffff_ffff_ffffn) } : null
}

/** Finds owners of flows by cookie in one virtual network. */
export class FlowOwners {
  readonly #names = new Map<string, FlowOwner>()

  constructor(network: VirtualNetwork) {
    const add = (kind: OwnerKind, name: string): void => void this.#names.set(`${kind}/${hash48(name)}`, { kind, name })
    add('pipeline', '')
    for (const { name } of network.vpcs) add('vpc', name)
    for (const { name } of network.networks) add('network', name)
    for (const { name } of network.routers) add('router', name)
    for (const { name } of network.peerings) add('peering', name)
    for (const { name } of network.acls) add('acl', name)
    for (const { name } of network.ports) add('port', name)
    for (const { name } of network.vips) add('vip', name)
  }

  /** The object and the reason that a cookie stands for; null when it belongs to nothing in this network. */
  find(cookie: string): { reason: FlowReason; owner: FlowOwner } | null {
    const parsed = parseCookie(cookie)
    const owner = parsed && this.#names.get(`${parsed.kind}/${parsed.hash}`)
    return owner ? { reason: parsed.reason, owner } : null
  }
}

/** 48 bits of a name, never 0: two runs of 32-bit FNV-1a (draft-eastlake-fnv) with different bases. */
export function hash48(name: string): number {
  let low = 0x811c9dc5
  let high = 0x050c5d1f
  for (let index = 0; index < name.length; index++) {
    const code = name.charCodeAt(index)
    low = Math.imul(low ^ code, 0x01000193)
    high = Math.imul(high ^ code, 0x01000193)
  }
  return ((high >>> 0) % 0x10000) * 0x1_0000_0000 + (low >>> 0) || 1
}
