import { maxAclPriority, type VirtualNetwork } from '../../model/network.ts'
import type { TraceDrop, TraceHop } from '../../model/trace.ts'
import type { Packet } from '../packet/packet.ts'

/**
 * A declaration in YAML that lets a sent packet pass, or on the leg `return` its answer, where an ACL drops it: the same target and direction,
 * one priority higher. Null where no such ACL alone decides, or none can be higher.
 */
export function remedyOf(network: VirtualNetwork, { reason, object }: TraceDrop, { ip, transport }: Packet, leg: TraceHop['leg']): string | null {
  const acl = reason === 'acl' ? network.acls.find(({ name }) => `acl/${name}` === object) : undefined
  if (!acl || !ip || acl.priority >= maxAclPriority) return null
  const [src, dst] = leg === 'forward' ? [ip.src, ip.dst] : [ip.dst, ip.src]
  const width = src.includes(':') ? 128 : 32
  const match = [`src: ${quoted(`${src}/${width}`)}`, `dst: ${quoted(`${dst}/${width}`)}`, `proto: ${transport?.kind ?? ip.protocol}`]
  if (leg === 'forward' && transport && 'dport' in transport) match.push(`dport: ${transport.dport}`)
  const target = acl.port === undefined ? `network: ${acl.network}` : `port: ${acl.port}`
  const name = `allow-past-${acl.name}`.slice(0, 63).replace(/-$/, '')
  return `acls:\n  - {name: ${name}, ${target}, direction: ${acl.direction}, priority: ${acl.priority + 1}, match: {${match.join(', ')}}, action: allow}\n`
}

const quoted = (text: string): string => (text.includes(':') ? `"${text}"` : text)
