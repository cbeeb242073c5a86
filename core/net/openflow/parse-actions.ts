import { HoldfastError } from '../../errors.ts'
import type { Action, Chunk, Ct, Move, SetField, Subfield } from './action.ts'
import { fieldByName, type Field } from './fields.ts'
import { parseMasked, parsePort, placed, reservedPorts } from './values.ts'

/**
 * Reads an action list as ovs-actions(7) has it, and as dump-flows prints it. Throws `not-supported` for an action that is not known
 * here, `bad-input` for one that is none.
 */
export function parseActions(text: string): Action[] {
  return text === 'drop' || text === '' ? [] : splitList(text).map(parseAction)
}

/** Splits at commas that are not inside brackets. */
function splitList(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let index = 0; index < text.length; index++) {
    const character = text[index]
    if (character === '(' || character === '[') depth++
    else if (character === ')' || character === ']') depth--
    else if (character === ',' && depth === 0) {
      parts.push(text.slice(start, index))
      start = index + 1
    }
  }
  if (depth !== 0) throw bad(text, 'its brackets do not match')
  parts.push(text.slice(start))
  return parts
}

/** `NAME`, `NAME:ARGUMENT`, `NAME(ARGUMENT)` or, as a port alone, `NUMBER`. */
function parseAction(text: string): Action {
  const name = /^\w*/.exec(text)![0]
  const rest = text.slice(name.length)
  const argument = rest.startsWith(':') ? rest.slice(1) : (/^\((.*)\)$/.exec(rest)?.[1] ?? rest)
  const parse = parsers[name.toLowerCase()]
  return parse ? parse(argument, text) : output(text, text)
}

const parsers: Record<string, (argument: string, text: string) => Action> = {
  output,
  set_field: (argument, text) => setField(argument, text),
  load: (argument, text) => load(argument, text),
  move: (argument, text) => move(argument, text),
  resubmit,
  ct,
  controller: (options) => ({ kind: 'controller', options }),
  goto_table: (argument, text) => ({ kind: 'goto-table', table: numeric(argument, 254, text) }),
  dec_ttl: (argument, text) => bare({ kind: 'dec-ttl' }, argument, text),
  ct_clear: (argument, text) => bare({ kind: 'ct-clear' }, argument, text),
  check_pkt_larger: checkPacketLarger,
  clone: (argument) => ({ kind: 'clone', actions: parseActions(argument) }),
  push_vlan: (argument, text) => ({ kind: 'push-vlan', tpid: numeric(argument, 0xffff, text) }),
  pop_vlan: (argument, text) => bare({ kind: 'pop-vlan' }, argument, text),
  strip_vlan: (argument, text) => bare({ kind: 'pop-vlan' }, argument, text),
  mod_vlan_vid: (argument, text) => ({ kind: 'set-vlan', field: 'vid', value: numeric(argument, 0xfff, text), push: true }),
  mod_vlan_pcp: (argument, text) => ({ kind: 'set-vlan', field: 'pcp', value: numeric(argument, 7, text), push: true }),
  set_vlan_vid: (argument, text) => ({ kind: 'set-vlan', field: 'vid', value: numeric(argument, 0xfff, text), push: false }),
  set_vlan_pcp: (argument, text) => ({ kind: 'set-vlan', field: 'pcp', value: numeric(argument, 7, text), push: false }),
  group: (argument, text) => ({ kind: 'group', group: numeric(argument, 0xffff_ff00, text) }),
  meter: (argument, text) => ({ kind: 'meter', meter: numeric(argument, 0xffff_0000, text) }),
  note: () => ({ kind: 'note' }),
}

/** Older names of set_field (OpenFlow 1.0), and the field that each sets. */
const setters = {
  set_tunnel: 'tun_id',
  set_tunnel64: 'tun_id',
  mod_dl_src: 'eth_src',
  mod_dl_dst: 'eth_dst',
  mod_nw_src: 'ip_src',
  mod_nw_dst: 'ip_dst',
  mod_nw_tos: 'nw_tos',
  mod_nw_ecn: 'nw_ecn',
  mod_nw_ttl: 'nw_ttl',
  mod_tp_src: 'tp_src',
  mod_tp_dst: 'tp_dst',
}
for (const [name, field] of Object.entries(setters)) parsers[name] = (argument, text) => setField(`${argument}->${field}`, text)

function bare(action: Action, argument: string, text: string): Action {
  if (argument !== '') throw unknown(text)
  return action
}

/** Ports that stand for what cannot be told from flows alone (learnt MACs, which ports there are) are not understood. */
function output(argument: string, text: string): Action {
  const { controller, in_port, local, none } = reservedPorts
  const port = parsePort(argument)
  if (port === controller) return { kind: 'controller', options: '' }
  if (port !== null && (port <= 0xff00 || port === in_port || port === local || port === none)) return { kind: 'output', port }
  if (port === null && /^\w+\[/.test(argument)) return { kind: 'output-register', source: subfield(argument, text) }
  throw unknown(text)
}

function sides(argument: string, text: string): [from: string, to: string] {
  const arrow = argument.indexOf('->')
  if (arrow < 0) throw bad(text, 'it does not say what is written')
  return [argument.slice(0, arrow), argument.slice(arrow + 2)]
}

type Access = Field['access']

function setField(argument: string, text: string, access: Access = 'read-write'): SetField {
  const [value, name] = sides(argument, text)
  const field = writable(fieldOf(name, text), access, text)
  return { kind: 'set-field', field, words: placed(field, parseMasked(field, value)) }
}

/** `VALUE->FIELD[FROM..TO]`: the other writing of a set_field of some bits. */
function load(argument: string, text: string, access: Access = 'read-write'): SetField {
  const [value, to] = sides(argument, text)
  const { field, from, bits } = subfield(to, text)
  if (!/^(0x[0-9a-fA-F]+|\d+)$/.test(value) || BigInt(value) >> BigInt(bits) !== 0n) throw bad(text, `its value is not of ${bits} bits`)
  const mask = ((1n << BigInt(bits)) - 1n) << BigInt(from)
  const shifted = BigInt(value) << BigInt(from)
  return setField(`0x${shifted.toString(16)}/0x${mask.toString(16)}->${field.name}`, text, access)
}

function move(argument: string, text: string, access: Access = 'read-write'): Move {
  const [from, to] = sides(argument, text)
  const source = subfield(from, text)
  const target = subfield(to, text)
  writable(target.field, access, text)
  if (source.bits !== target.bits) throw bad(text, 'its sides are not of one width')
  return { kind: 'move', source, target, chunks: chunks(source, target) }
}

/** Cuts a move where either side goes over into its next word. */
function chunks(source: Subfield, target: Subfield): Chunk[] {
  const list: Chunk[] = []
  for (let done = 0; done < source.bits;) {
    const fromBit = source.field.low + source.from + done
    const toBit = target.field.low + target.from + done
    const bits = Math.min(source.bits - done, 32 - (fromBit % 32), 32 - (toBit % 32))
    const ones = bits === 32 ? 0xffff_ffff : 2 ** bits - 1
    list.push({
      source: wordOf(source.field, fromBit),
      sourceShift: fromBit % 32,
      sourceMask: source.field.mask ?? 0xffff_ffff,
      target: wordOf(target.field, toBit),
      targetShift: toBit % 32,
      targetMask: ((ones << (toBit % 32)) & (target.field.mask ?? 0xffff_ffff)) >>> 0,
    })
    done += bits
  }
  return list
}

function wordOf(field: Field, bit: number): number {
  return field.word + field.words - 1 - Math.floor(bit / 32)
}

function resubmit(argument: string, text: string): Action {
  const [port = '', table = '', ...more] = argument.split(',')
  const inPort = port === '' ? reservedPorts.in_port : parsePort(port)
  if (more.length > 0) throw unknown(text)
  if (inPort === null) throw bad(text, 'its port is none')
  return {
    kind: 'resubmit',
    inPort: inPort === reservedPorts.in_port ? null : inPort,
    table: table === '' || table === '255' ? null : numeric(table, 254, text),
  }
}

function ct(argument: string, text: string): Ct {
  const action: Ct = { kind: 'ct', commit: false, zone: 0, table: null, exec: [] }
  for (const part of argument === '' ? [] : splitList(argument)) {
    const [, key, value = ''] = /^(\w+)=(.*)$/.exec(part) ?? []
    const exec = /^exec\((.*)\)$/.exec(part)
    if (part === 'commit') action.commit = true
    else if (key === 'table') action.table = numeric(value, 254, text)
    else if (key === 'zone') action.zone = /^\d/.test(value) ? numeric(value, 0xffff, text) : zoneOf(value, text)
    else if (exec) action.exec = splitList(exec[1]!).map((inner) => parseExec(inner, text))
    else throw unknown(text)
  }
  return action
}

function zoneOf(name: string, text: string): Subfield {
  const zone = subfield(name, text)
  if (zone.bits > 16) throw bad(text, 'its zone has more than 16 bits')
  return zone
}

function parseExec(inner: string, text: string): SetField | Move {
  const [, name, argument = ''] = /^(set_field|load|move):(.*)$/.exec(inner) ?? []
  if (name === 'set_field') return setField(argument, text, 'ct')
  if (name === 'load') return load(argument, text, 'ct')
  if (name === 'move') return move(argument, text, 'ct')
  throw unknown(text)
}

function checkPacketLarger(_: string, text: string): Action {
  const [, bytes = '', to = ''] = /^check_pkt_larger\((\d+)\)->(.*)$/.exec(text) ?? []
  const target = subfield(to, text)
  if (target.bits !== 1) throw bad(text, 'it writes more than one bit')
  writable(target.field, 'read-write', text)
  return { kind: 'check-packet-larger', bytes: numeric(bytes, 0xffff, text), target }
}

/** `FIELD[FROM..TO]`, `FIELD[BIT]`, `FIELD[]` or `FIELD`. */
function subfield(text: string, action: string): Subfield {
  const [, name = '', , from, , to] = /^(\w+)(\[(\d+)?(\.\.(\d+))?\])?$/.exec(text) ?? []
  const field = fieldOf(name, action)
  const first = Number(from ?? 0)
  const last = Number(to ?? from ?? field.bits - 1)
  if (last < first || last >= field.bits) throw bad(action, `${name} has ${field.bits} bits`)
  return { field, from: first, bits: last - first + 1 }
}

function writable(field: Field, access: Access, action: string): Field {
  if (field.access !== access) throw bad(action, `${field.name} cannot be written there`)
  return field
}

function fieldOf(name: string, action: string): Field {
  const field = fieldByName(name)
  if (field) return field
  throw new HoldfastError('not-supported', `The action '${action}' has '${name}', which is not known here`, removeIt, { action, field: name })
}

function numeric(text: string, max: number, action: string): number {
  const value = /^(\d+|0x[0-9a-fA-F]+)$/.test(text) ? Number(text) : NaN
  if (!(value <= max)) throw bad(action, `'${text}' is not a number from 0 to ${max}`)
  return value
}

const removeIt = 'Remove the flow if it is not wanted: it was not made by Holdfast.'

function bad(action: string, why: string): HoldfastError {
  return new HoldfastError('bad-input', `Not an action, because ${why}: ${action}`, 'Write actions as ovs-actions(7) says.', { action })
}

function unknown(action: string): HoldfastError {
  return new HoldfastError('not-supported', `The action '${action}' is not understood, so what becomes of a packet cannot be told`, removeIt, {
    action,
  })
}
