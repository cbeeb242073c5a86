import { HoldfastError } from '../../errors.ts'
import { at, fieldByName, type Field } from './fields.ts'
import { remembered } from './remembered.ts'
import { parseMasked, placed, type WordMask } from './values.ts'

/** What a flow asks of a packet's key: each word, masked, is the value. In the order of words, each at most once. */
export type Match = readonly WordMask[]

/** Names that stand for an Ethernet type and an IP protocol, ovs-fields(7). */
const shorthands: Record<string, [etherType: number, protocol?: number]> = {
  ip: [0x0800],
  ipv6: [0x86dd],
  arp: [0x0806],
  rarp: [0x8035],
  icmp: [0x0800, 1],
  igmp: [0x0800, 2],
  tcp: [0x0800, 6],
  udp: [0x0800, 17],
  sctp: [0x0800, 132],
  tcp6: [0x86dd, 6],
  udp6: [0x86dd, 17],
  sctp6: [0x86dd, 132],
  icmp6: [0x86dd, 58],
}

/**
 * Reads a match. Throws `bad-input` for what is no field or value, `not-supported` for a field that is not known here, and `bad-input` for
 * one without the fields that it needs (OVS would leave it out with a warning, and match more than is written).
 */
export function parseMatch(text: string): Match {
  const words: WordMask[] = []
  if (text === '') return words
  const parts = text.split(',').map(part)
  for (const { asked } of parts) for (const word of asked) add(words, word, text)
  for (const { field } of parts) {
    if (field && !hasNeeded(words, field)) {
      const hint = 'Say the protocol, too, as in ovs-fields(7).'
      throw new HoldfastError('bad-input', `Match '${text}' has ${field.name} without what it needs (${field.needs})`, hint, {
        match: text,
        field: field.name,
      })
    }
  }
  return words.sort((a, b) => a.word - b.word)
}

interface Part {
  asked: readonly WordMask[]
  /** Null for a shorthand. */
  field: Field | null
}

const part = remembered((text): Part => {
  const equals = text.indexOf('=')
  if (equals < 0) {
    const types = shorthands[text]
    if (!types) throw unknownField(text)
    const asked = [{ word: at.etherType, value: types[0], mask: 0xffff }]
    return { field: null, asked: types[1] === undefined ? asked : [...asked, { word: at.protocol, value: types[1], mask: 0xff }] }
  }
  const field = fieldByName(text.slice(0, equals))
  if (!field) throw unknownField(text)
  const value = text.slice(equals + 1)
  // OpenFlow 1.0: a packet without a tag.
  if (field.name === 'dl_vlan' && (value === '0xffff' || value === '65535')) return { field, asked: [{ word: at.vlan, value: 0, mask: 0xffff }] }
  return { field, asked: placed(field, parseMasked(field, value)) }
})

function add(words: WordMask[], added: WordMask, text: string): void {
  const present = words.find(({ word }) => word === added.word)
  if (!present) {
    words.push({ ...added })
    return
  }
  if (((present.value ^ added.value) & present.mask & added.mask) !== 0) {
    throw new HoldfastError('bad-input', `Match '${text}' asks for two values of one field`, 'Say each field once.', { match: text })
  }
  present.value = (present.value | added.value) >>> 0
  present.mask = (present.mask | added.mask) >>> 0
}

function exact(words: readonly WordMask[], word: number): number | undefined {
  return words.find((candidate) => candidate.word === word)?.value
}

/** Fields that share a place stand for each other here, as in OVS: `icmp6,icmp_type=135`, `udp,tcp_src=53`. */
function hasNeeded(words: readonly WordMask[], { needs }: Field): boolean {
  const etherType = exact(words, at.etherType)
  const protocol = exact(words, at.protocol)
  const ip = etherType === 0x0800 || etherType === 0x86dd
  switch (needs) {
    case 'none':
    case 'vlan':
      return true
    case 'arp':
      return etherType === 0x0806 || etherType === 0x8035
    case 'ip4':
      return etherType === 0x0800
    case 'ip6':
      return etherType === 0x86dd
    case 'ip':
      return ip
    case 'tcp':
    case 'udp':
    case 'sctp':
    case 'ports':
      return ip && (protocol === 6 || protocol === 17 || protocol === 132)
    case 'icmp4':
    case 'icmp6':
      return (etherType === 0x0800 && protocol === 1) || (etherType === 0x86dd && protocol === 58)
    case 'nd':
    case 'ns':
    case 'na':
      return etherType === 0x86dd && protocol === 58
  }
}

function unknownField(part: string): HoldfastError {
  const hint = 'Remove the flow if it is not wanted: it was not made by Holdfast.'
  return new HoldfastError('not-supported', `A match has '${part}', which is not known here, so what matches cannot be told`, hint, { part })
}
