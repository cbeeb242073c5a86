import { HoldfastError } from '../../errors.ts'
import { parseIpv4, parseIpv6 } from '../address.ts'
import type { Field } from './fields.ts'

/** Values and masks of fields, from their texts in matches and actions. */

/** A value and the bits of it that count, in the words of a field from its lowest bit on; most significant word first. */
export interface Masked {
  value: number[]
  mask: number[]
}

/** Part of a word of a key: the word is compared or overwritten where `mask` has ones. Both are unsigned. */
export interface WordMask {
  word: number
  value: number
  mask: number
}

export const ctStates = { new: 0x01, est: 0x02, rel: 0x04, rpl: 0x08, inv: 0x10, trk: 0x20, snat: 0x40, dnat: 0x80 } as const
const tcpFlagBits = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128, ns: 256 } as const

const fragments: Record<string, [number, number]> = { no: [0, 3], yes: [1, 1], first: [1, 3], later: [3, 3], not_later: [0, 2] }

/** Ports of OpenFlow with a meaning of their own (openflow-protocol(7), as 16 bits). */
export const reservedPorts = {
  in_port: 0xfff8,
  table: 0xfff9,
  normal: 0xfffa,
  flood: 0xfffb,
  all: 0xfffc,
  controller: 0xfffd,
  local: 0xfffe,
  none: 0xffff,
} as const

/** A port's number, or the name of a reserved one in either case; null for anything else. */
export function parsePort(text: string): number | null {
  if (/^\d+$/.test(text)) return Number(text) <= 0xffff ? Number(text) : null
  return reservedPorts[text.toLowerCase() as keyof typeof reservedPorts] ?? null
}

/** Reads `VALUE` or `VALUE/MASK` of a field. Throws `bad-input`. */
export function parseMasked(field: Field, text: string): Masked {
  const words = Math.ceil(field.bits / 32)
  if (field.form === 'ct-state') return flags(field, text, ctStates)
  if (field.form === 'tcp-flags' && /[a-z]/.test(text) && !text.startsWith('0x')) return flags(field, text, tcpFlagBits)
  if (field.form === 'fragment' && text in fragments) return { value: [fragments[text]![0]], mask: [fragments[text]![1]] }
  const slash = text.indexOf('/')
  const value = parseValue(field, slash < 0 ? text : text.slice(0, slash), words)
  if (slash >= 0) return { value, mask: parseMask(field, text.slice(slash + 1), words) }
  return { value, mask: field.mask === undefined ? ones(words, field.bits) : [field.mask] }
}

function parseValue(field: Field, text: string, words: number): number[] {
  if (field.form === 'ip4') {
    const address = parseIpv4(text)
    if (address !== null) return [address]
  } else if (field.form === 'ip6') {
    const address = parseIpv6(text)
    if (address !== null) return split(address, words)
  } else if (field.form === 'mac') {
    if (/^[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}$/.test(text)) {
      const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = text.split(':').map((pair) => parseInt(pair, 16))
      return [(a << 8) | b, ((c << 24) | (d << 16) | (e << 8) | f) >>> 0]
    }
  } else if (field.form === 'port') {
    const port = parsePort(text)
    if (port !== null) return [port]
  }
  return parseInteger(field, text, words)
}

function parseInteger(field: Field, text: string, words: number): number[] {
  if (!/^(0x[0-9a-fA-F]+|\d+)$/.test(text)) throw badValue(field, text)
  const limit = field.mask === undefined ? field.bits : Math.max(field.bits, 32 - Math.clz32(field.mask))
  if (words === 1) {
    const value = Number(text)
    if (value < 2 ** limit) return [value]
  } else {
    const value = BigInt(text)
    if (value >> BigInt(limit) === 0n) return split(value, words)
  }
  throw badValue(field, text)
}

function parseMask(field: Field, text: string, words: number): number[] {
  if ((field.form === 'ip4' || field.form === 'ip6') && /^\d+$/.test(text) && Number(text) <= field.bits) return prefixMask(Number(text), words)
  return parseValue(field, text, words)
}

function prefixMask(length: number, words: number): number[] {
  return Array.from({ length: words }, (_, index) => {
    const here = Math.min(32, Math.max(0, length - index * 32))
    return here === 0 ? 0 : (0xffff_ffff << (32 - here)) >>> 0
  })
}

/** `+new-est` asks for one flag set and one not; `new|trk` and a plain `0` ask for exactly these. */
function flags(field: Field, text: string, bits: Record<string, number>): Masked {
  if (/^(0x[0-9a-fA-F]+|\d+)(\/(0x[0-9a-fA-F]+|\d+))?$/.test(text)) {
    const [value = '', mask] = text.split('/')
    return { value: parseInteger(field, value, 1), mask: mask === undefined ? ones(1, field.bits) : parseInteger(field, mask, 1) }
  }
  let value = 0
  let mask = 0
  const signed = /^[+-]/.test(text)
  const names = signed ? text.match(/[+-][a-z]+/g) : text.split('|')
  if (!names || (signed && names.join('') !== text)) throw badValue(field, text)
  for (const name of names) {
    const bit = bits[signed ? name.slice(1) : name]
    if (bit === undefined) throw badValue(field, text)
    mask |= bit
    if (!name.startsWith('-')) value |= bit
  }
  return signed ? { value: [value], mask: [mask] } : { value: [value], mask: ones(1, field.bits) }
}

function split(value: bigint, words: number): number[] {
  return Array.from({ length: words }, (_, index) => Number((value >> BigInt((words - 1 - index) * 32)) & 0xffff_ffffn))
}

function ones(words: number, bits: number): number[] {
  const top = bits % 32
  return Array.from({ length: words }, (_, index) => (index === 0 && top !== 0 ? 2 ** top - 1 : 0xffff_ffff))
}

/** Where in a key a field's masked value goes; words whose mask is empty are left out. `tagged`: with the bit that a VLAN tag is there. */
export function placed(field: Field, { value, mask }: Masked): WordMask[] {
  const words: WordMask[] = []
  for (let index = 0; index < value.length; index++) {
    let wordMask = (mask[index]! << field.low) >>> 0
    let wordValue = ((value[index]! << field.low) & wordMask) >>> 0
    if (field.tags) {
      wordMask |= 0x1000
      wordValue |= 0x1000
    }
    if (wordMask !== 0) words.push({ word: field.word + index, value: wordValue, mask: wordMask })
  }
  return words
}

function badValue(field: Field, text: string): HoldfastError {
  return new HoldfastError('bad-input', `'${text}' is no value of ${field.name}`, 'Write fields as ovs-fields(7) says.', { field: field.name, text })
}
