import { formatIpv4 } from '../address.ts'
import { ip6At, macAt, write16, write32 } from '../packet/bytes.ts'
import { at, meets, type Key } from './fields.ts'
import type { PipelineResult } from './pipeline.ts'
import type { Step } from './step.ts'
import { ctStates } from './values.ts'

/** A packet's fields, by name and in the text form of a match; those that are zero or that it does not have are left out. */
export function fieldsOf(key: Key): Record<string, string> {
  const fields: Record<string, string> = { in_port: String(key[at.inPort]), eth_src: mac(key, at.ethSrc), eth_dst: mac(key, at.ethDst) }
  const hex = (name: string, word: number): void => void (key[word] && (fields[name] = `0x${key[word].toString(16)}`))
  const decimal = (name: string, word: number): void => void (fields[name] = String(key[word]))
  hex('vlan_tci', at.vlan)
  hex('eth_type', at.etherType)
  if (meets(key, 'arp')) {
    decimal('arp_op', at.protocol)
    Object.assign(fields, {
      arp_spa: formatIpv4(key[at.ip4Src]!),
      arp_tpa: formatIpv4(key[at.ip4Dst]!),
      arp_sha: mac(key, at.arpSha),
      arp_tha: mac(key, at.arpTha),
    })
  }
  if (meets(key, 'ip4')) Object.assign(fields, { ip_src: formatIpv4(key[at.ip4Src]!), ip_dst: formatIpv4(key[at.ip4Dst]!) })
  if (meets(key, 'ip6')) Object.assign(fields, { ipv6_src: ip6(key, at.ip6Src), ipv6_dst: ip6(key, at.ip6Dst) })
  if (meets(key, 'ip')) {
    decimal('nw_proto', at.protocol)
    decimal('nw_ttl', at.ttl)
    decimal('nw_tos', at.tos)
    if (key[at.fragment] !== 0) fields['ip_frag'] = key[at.fragment] === 1 ? 'first' : 'later'
  }
  if (meets(key, 'ports')) {
    decimal('tp_src', at.l4Src)
    decimal('tp_dst', at.l4Dst)
    if (meets(key, 'tcp')) hex('tcp_flags', at.flags)
  } else if (meets(key, 'icmp4') || meets(key, 'icmp6')) {
    decimal('icmp_type', at.l4Src)
    decimal('icmp_code', at.l4Dst)
    if (meets(key, 'nd')) fields['nd_target'] = ip6(key, at.ndTarget)
    if (meets(key, 'ns')) fields['nd_sll'] = mac(key, at.arpSha)
    if (meets(key, 'na')) fields['nd_tll'] = mac(key, at.arpTha)
  }
  hex('tun_id', at.tunId + 1)
  if (key[at.tunSrc] !== 0) fields['tun_src'] = formatIpv4(key[at.tunSrc]!)
  if (key[at.tunDst] !== 0) fields['tun_dst'] = formatIpv4(key[at.tunDst]!)
  hex('metadata', at.metadata + 1)
  for (let index = 0; index < 16; index++) hex(`reg${index}`, at.registers + index)
  if (key[at.ctState] !== 0) {
    fields['ct_state'] = ctStateText(key[at.ctState]!)
    decimal('ct_zone', at.ctZone)
  }
  hex('ct_mark', at.ctMark)
  hex('pkt_mark', at.pktMark)
  return fields
}

/** `new|trk`, as dump-flows prints it. */
export function ctStateText(state: number): string {
  return Object.entries(ctStates)
    .filter(([, bit]) => (state & bit) !== 0)
    .map(([name]) => name)
    .join('|')
}

function mac(key: Key, word: number): string {
  const bytes = new Uint8Array(6)
  write16(bytes, 0, key[word]!)
  write32(bytes, 2, key[word + 1]!)
  return macAt(bytes, 0)
}

function ip6(key: Key, word: number): string {
  const bytes = new Uint8Array(16)
  for (let index = 0; index < 4; index++) write32(bytes, index * 4, key[word + index]!)
  return ip6At(bytes, 0)
}

/** Why nothing left the bridge. */
export interface DropReason {
  /** `miss`: no flow of the table matched. `no-output`: the last flow sends nothing. `no-live-bucket`: of a group. The others: see `Done`. */
  kind: 'miss' | 'no-output' | 'own-port' | 'ttl' | 'held' | 'aborted' | 'recirculated-too-often' | 'no-group' | 'no-live-bucket'
  step: Step
}

const kinds = {
  'held': 'held',
  'aborted': 'aborted',
  'recirculated-too-often': 'recirculated-too-often',
  'output-suppressed': 'own-port',
  'no-group': 'no-group',
} as const

/** Where a packet that has no output ended: of its copies, the one that was processed last. Null if it did leave. */
export function dropReason({ steps, outputs }: PipelineResult): DropReason | null {
  const last = steps.at(-1)
  if (outputs.length > 0 || !last) return null
  for (const step of steps.toReversed()) {
    for (const done of step.done) {
      if (done.kind === 'packet-in' && done.reason === 'invalid-ttl') return { kind: 'ttl', step }
      if (done.kind === 'group' && done.bucket === null) return { kind: 'no-live-bucket', step }
      if (done.kind in kinds) return { kind: kinds[done.kind as keyof typeof kinds], step }
    }
  }
  return { kind: last.flow ? 'no-output' : 'miss', step: last }
}
