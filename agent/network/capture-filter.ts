import { spawn, type ChildProcess } from 'node:child_process'
import { programEnv } from '../runtime/programs.ts'
import { pcapHeader, pcapRecord, PcapStream, type CapturedPacket } from './pcap-stream.ts'

/** Longest record: two packets of the largest size, and what is noted of them. */
const longestBytes = 262_144
const noteBytes = 4

/**
 * Lets through captured packets of which a part matches a filter in the syntax of pcap-filter(7): a tcpdump that reads them and writes those.
 * What the filter sees is that part, with the packet behind it, so `len`, `less` and `greater` do not mean the packet's own length.
 */
export class PartFilter {
  readonly #child: ChildProcess
  readonly #ended: Promise<void>

  constructor(filter: string, onPackets: (packets: CapturedPacket[]) => void) {
    const stream = new PcapStream()
    const child = spawn('tcpdump', ['-r', '-', '-n', '-U', '-w', '-', '--', filter], { env: programEnv, stdio: ['pipe', 'pipe', 'ignore'] })
    this.#child = child
    child.stdout.on('data', (chunk: Buffer) => {
      try {
        const packets = stream.push(chunk).map(unwrap)
        if (packets.length > 0) onPackets(packets)
      } catch {
        child.kill('SIGKILL')
      }
    })
    // A program that has ended reads no more; that it did is told by `end`.
    child.stdin.on('error', () => undefined)
    this.#ended = new Promise((resolve) => child.once('close', () => resolve()).once('error', () => resolve()))
    child.stdin.write(pcapHeader(longestBytes))
  }

  push(packet: CapturedPacket, part: Buffer): void {
    const note = Buffer.alloc(noteBytes)
    note.writeUInt32LE(part.length)
    const bytes = part.length + packet.bytes + noteBytes
    this.#child.stdin?.write(pcapRecord({ atUs: packet.atUs, bytes, frame: Buffer.concat([part, packet.frame, note]) }))
  }

  /** Resolves when all that matches has come out. */
  end(): Promise<void> {
    this.#child.stdin?.end()
    return this.#ended
  }
}

function unwrap({ atUs, bytes, frame }: CapturedPacket): CapturedPacket {
  const partBytes = frame.readUInt32LE(frame.length - noteBytes)
  return { atUs, bytes: bytes - partBytes - noteBytes, frame: frame.subarray(partBytes, -noteBytes) }
}
