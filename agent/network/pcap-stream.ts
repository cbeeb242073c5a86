/** One packet of a capture. `bytes`: its length on the wire; `frame` is cut at the snap length. */
export interface CapturedPacket {
  /** Microseconds since the Unix epoch. */
  atUs: number
  bytes: number
  frame: Buffer
}

/** Of a stream with microseconds. */
const magic = 0xa1b2c3d4
/** LINKTYPE_ETHERNET. */
const ethernet = 1
const fileHeaderBytes = 24
const recordHeaderBytes = 16
/** A record longer than this is none. */
const maxFrameBytes = 262_144

/** Reads the stream that `tcpdump -w -` writes (pcap-savefile(5), of this machine's byte order), however it is cut. */
export class PcapStream {
  #rest: Buffer = Buffer.alloc(0)
  #begun = false

  /** Packets that are whole with these bytes. Throws for what is no such stream. */
  push(chunk: Buffer): CapturedPacket[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    if (!this.#begun) {
      if (this.#rest.length < fileHeaderBytes) return []
      if (this.#rest.readUInt32LE(0) !== magic) throw new Error('not a capture with microseconds in little-endian order')
      this.#begun = true
      this.#rest = this.#rest.subarray(fileHeaderBytes)
    }
    const packets: CapturedPacket[] = []
    while (this.#rest.length >= recordHeaderBytes) {
      const length = this.#rest.readUInt32LE(8)
      if (length > maxFrameBytes) throw new Error(`a captured packet of ${length} bytes`)
      const end = recordHeaderBytes + length
      if (this.#rest.length < end) break
      packets.push({
        atUs: this.#rest.readUInt32LE(0) * 1_000_000 + this.#rest.readUInt32LE(4),
        bytes: this.#rest.readUInt32LE(12),
        frame: Buffer.from(this.#rest.subarray(recordHeaderBytes, end)),
      })
      this.#rest = this.#rest.subarray(end)
    }
    return packets
  }

  /** Whether the stream has begun: then the tap stands. */
  get begun(): boolean {
    return this.#begun
  }
}

/** The beginning of a stream of Ethernet frames as `PcapStream` reads it. */
export function pcapHeader(snapBytes: number): Buffer {
  const header = Buffer.alloc(fileHeaderBytes)
  header.writeUInt32LE(magic, 0)
  header.writeUInt16LE(2, 4)
  header.writeUInt16LE(4, 6)
  header.writeUInt32LE(snapBytes, 16)
  header.writeUInt32LE(ethernet, 20)
  return header
}

/** One packet of such a stream. */
export function pcapRecord({ atUs, bytes, frame }: CapturedPacket): Buffer {
  const header = Buffer.alloc(recordHeaderBytes)
  header.writeUInt32LE(Math.floor(atUs / 1_000_000), 0)
  header.writeUInt32LE(atUs % 1_000_000, 4)
  header.writeUInt32LE(frame.length, 8)
  header.writeUInt32LE(bytes, 12)
  return Buffer.concat([header, frame])
}
