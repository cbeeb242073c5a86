import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** Reads what has been added to a pcap file (24 bytes of header, 16 before each packet) since it was read last. */
export class Capture {
  readonly #file: number
  #at = 24

  constructor(path: string) {
    this.#file = openSync(path, 'r')
  }

  read(): Uint8Array[] {
    const size = fstatSync(this.#file).size
    const bytes = Buffer.alloc(Math.max(0, size - this.#at))
    readSync(this.#file, bytes, 0, bytes.length, this.#at)
    const frames: Uint8Array[] = []
    let from = 0
    while (bytes.length - from >= 16 && bytes.length - from >= 16 + bytes.readUInt32LE(from + 8)) {
      const length = bytes.readUInt32LE(from + 8)
      frames.push(bytes.subarray(from + 16, from + 16 + length))
      from += 16 + length
    }
    this.#at += from
    return frames
  }

  close(): void {
    closeSync(this.#file)
  }
}
