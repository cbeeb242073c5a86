import { HoldfastError } from '../../errors.ts'
import { concatBytes } from '../packet/bytes.ts'

/** A place of a capture. Texts are at most 65,535 bytes each. */
export interface PcapngInterface {
  name: string
  description: string
  comment: string
  /** In the syntax of pcap-filter(7); empty: everything. */
  filter: string
  /** Longest part of a packet that is kept. */
  snapBytes: number
  /** Packets that the place had no room for; null: not known. */
  lost: number | null
}

export interface PcapngPacket {
  /** Index in `interfaces`. */
  point: number
  /** Microseconds since the Unix epoch. */
  atUs: number
  /** Length on the wire; `frame` may be cut. */
  bytes: number
  frame: Uint8Array
}

/** A capture file of Ethernet frames. */
export interface PcapngFile {
  comment: string
  interfaces: PcapngInterface[]
  packets: PcapngPacket[]
}

/** What was read; `cut`: the file ends in the middle of a block. */
export interface ReadPcapng extends PcapngFile {
  cut: boolean
}

/** Of draft-ietf-opsawg-pcapng, sections 4 and 11.1; LINKTYPE_ETHERNET. */
const blocks = { section: 0x0a0d0d0a, interface: 1, statistics: 5, packet: 6 } as const
const options = { end: 0, comment: 1, name: 2, description: 3, application: 4, resolution: 9, filter: 11, dropped: 5 } as const
const byteOrderMagic = 0x1a2b3c4d
const ethernet = 1
/** 10^-6 s. */
const microseconds = 6
/** A block without a body: type, and its length twice. */
const leastBlockBytes = 12

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/**
 * Writes a capture as pcapng (draft-ietf-opsawg-pcapng), block by block, for Wireshark and others: one section, an interface block a place,
 * the packets in the order given, and for each place how many packets it lost.
 */
export function pcapngBlocks({ comment, interfaces, packets }: PcapngFile): Uint8Array[] {
  const section = concatBytes(u32(byteOrderMagic), u16(1), u16(0), u64(2n ** 64n - 1n))
  const lastUs = packets.at(-1)?.atUs ?? 0
  return [
    block(blocks.section, section, [text(options.comment, comment), text(options.application, 'Holdfast')]),
    ...interfaces.map((one) =>
      block(blocks.interface, concatBytes(u16(ethernet), u16(0), u32(one.snapBytes)), [
        text(options.comment, one.comment),
        text(options.name, one.name),
        text(options.description, one.description),
        option(options.resolution, Uint8Array.of(microseconds)),
        // The first octet says that a string for libpcap follows.
        ...(one.filter === '' ? [] : [text(options.filter, `\0${one.filter}`)]),
      ]),
    ),
    ...packets.map(({ point, atUs, bytes, frame }) =>
      block(blocks.packet, concatBytes(u32(point), time(atUs), u32(frame.length), u32(bytes), frame, padding(frame.length))),
    ),
    ...interfaces.flatMap(({ lost }, point) =>
      lost === null ? [] : [block(blocks.statistics, concatBytes(u32(point), time(lastUs)), [option(options.dropped, u64(BigInt(lost)))])],
    ),
  ]
}

/**
 * Reads Ethernet captures in pcapng of either byte order. Blocks and options that are not written above are passed over. Throws `bad-input`
 * for what is no such file; one that was cut gives what of it is whole.
 */
export function readPcapng(bytes: Uint8Array): ReadPcapng {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const file: ReadPcapng = { comment: '', interfaces: [], packets: [], cut: false }
  /** Units a microsecond of each interface, and which interface of the file is the section's first. */
  const unitsPerUs: number[] = []
  let first = 0
  let little = true
  for (let at = 0; at < bytes.length;) {
    if (bytes.length - at < leastBlockBytes) return { ...file, cut: true }
    const isSection = view.getUint32(at, true) === blocks.section
    if (at === 0 && !isSection) throw malformed('it does not begin with a section', at)
    if (isSection) {
      little = view.getUint32(at + 8, true) === byteOrderMagic
      if (!little && view.getUint32(at + 8, false) !== byteOrderMagic) throw malformed('its byte order is not said', at)
      first = file.interfaces.length
    }
    const type = view.getUint32(at, little)
    const length = view.getUint32(at + 4, little)
    if (length < leastBlockBytes || length % 4 !== 0) throw malformed(`a block of ${length} bytes`, at)
    if (length > bytes.length - at) return { ...file, cut: true }
    if (view.getUint32(at + length - 4, little) !== length) throw malformed('a block that ends with another length', at)
    const body = new Body(view, at + 8, at + length - 4, little)
    if (isSection) file.comment ||= body.options(16).get(options.comment)?.text ?? ''
    else if (type === blocks.interface) {
      const found = body.options(8)
      if (body.u16(0) !== ethernet) throw malformed(`packets of link type ${body.u16(0)}, not Ethernet`, at)
      unitsPerUs.push(unitsOf(found.get(options.resolution)?.bytes[0] ?? microseconds))
      file.interfaces.push({
        name: found.get(options.name)?.text ?? '',
        description: found.get(options.description)?.text ?? '',
        comment: found.get(options.comment)?.text ?? '',
        filter: found.get(options.filter)?.text.slice(1) ?? '',
        snapBytes: body.u32(4),
        lost: null,
      })
    } else if (type === blocks.packet || type === blocks.statistics) {
      const point = first + body.u32(0)
      const from = file.interfaces[point]
      if (!from) throw malformed(`a block of interface ${body.u32(0)}, which it does not have`, at)
      if (type === blocks.statistics) from.lost = body.options(12).get(options.dropped)?.number ?? from.lost
      else {
        const atUs = Math.round((body.u32(4) * 2 ** 32 + body.u32(8)) / unitsPerUs[point]!)
        file.packets.push({ point, atUs, bytes: body.u32(16), frame: body.bytes(20, body.u32(12)) })
      }
    }
    at += length
  }
  return file
}

function malformed(what: string, at: number): HoldfastError {
  return new HoldfastError('bad-input', `It is no capture file: ${what}, at byte ${at}`, 'Choose a file in the format pcapng.', { at })
}

/** The body of a block; whatever it is asked for lies within it, or it throws. */
class Body {
  readonly #view: DataView
  readonly #start: number
  readonly #end: number
  readonly #little: boolean

  constructor(view: DataView, start: number, end: number, little: boolean) {
    this.#view = view
    this.#start = start
    this.#end = end
    this.#little = little
  }

  u16(at: number): number {
    return this.#view.getUint16(this.#within(at, 2), this.#little)
  }

  u32(at: number): number {
    return this.#view.getUint32(this.#within(at, 4), this.#little)
  }

  bytes(at: number, length: number): Uint8Array {
    const start = this.#within(at, length)
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + start, length)
  }

  /** Options by their code, from an offset to the end; of several with one code the first. */
  options(at: number): Map<number, Option> {
    const found = new Map<number, Option>()
    while (this.#start + at + 4 <= this.#end) {
      const [code, length] = [this.u16(at), this.u16(at + 2)]
      if (code === options.end) break
      const bytes = this.bytes(at + 4, length)
      const view = new DataView(bytes.buffer, bytes.byteOffset, length)
      const number = length === 8 ? Number(view.getBigUint64(0, this.#little)) : 0
      if (!found.has(code)) found.set(code, { bytes, number, text: decoder.decode(bytes) })
      at += 4 + length + padding(length).length
    }
    return found
  }

  #within(at: number, length: number): number {
    if (this.#start + at + length > this.#end) throw malformed(`${length} bytes that a block does not have`, this.#start)
    return this.#start + at
  }
}

interface Option {
  bytes: Uint8Array
  text: string
  /** Of 8 bytes; 0 of any other length. */
  number: number
}

/** if_tsresol: a negative power of 10, or of 2 with the highest bit set. */
function unitsOf(resolution: number): number {
  return (resolution & 0x80 ? 2 ** (resolution & 0x7f) : 10 ** resolution) / 1e6
}

function block(type: number, body: Uint8Array, found: readonly Uint8Array[] = []): Uint8Array {
  const tail = found.length > 0 ? concatBytes(...found, option(options.end, new Uint8Array())) : new Uint8Array()
  const length = u32(leastBlockBytes + body.length + tail.length)
  return concatBytes(u32(type), length, body, tail, length)
}

function option(code: number, value: Uint8Array): Uint8Array {
  return concatBytes(u16(code), u16(value.length), value, padding(value.length))
}

function text(code: number, value: string): Uint8Array {
  return option(code, encoder.encode(value))
}

/** Fields are aligned to 32 bits. */
function padding(length: number): Uint8Array {
  return new Uint8Array(-length & 3)
}

/** High word first, whatever the byte order. */
function time(atUs: number): Uint8Array {
  return concatBytes(u32(Math.floor(atUs / 2 ** 32)), u32(atUs % 2 ** 32))
}

function u16(value: number): Uint8Array {
  return new Uint8Array(Uint16Array.of(value).buffer)
}

function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer)
}

function u64(value: bigint): Uint8Array {
  return new Uint8Array(BigUint64Array.of(value).buffer)
}
