import { networkInterfaces } from 'node:os'
import koffi from 'koffi'
import { loadLibc } from '../agent/cluster/libc.ts'

const etherIpv4 = 0x0800
const msgDontwait = 0x40
/** Marks our echoes among others'. */
const identifier = 0x4846

/** An answer to one probe. Times are of performance.now(). */
export interface EchoAnswer {
  sequence: number
  sentAtMs: number
  mac: string
}

/**
 * Pings one address every 10 ms with frames to the *broadcast* MAC, so that every host which holds the address answers, not only the
 * one that a neighbour table names: two holders show as two MACs that answer one sequence number.
 */
export class EchoProber implements Disposable {
  readonly answers: EchoAnswer[] = []
  /** Echo requests that more than one host answered. */
  readonly doubled = new Map<number, Set<string>>()
  readonly #sentAtMs = new Map<number, number>()
  readonly #answeredBy = new Map<number, string>()
  readonly #libc = loadLibc()
  readonly #descriptor: number
  readonly #timers: NodeJS.Timeout[]
  readonly #frame: Buffer
  readonly #answer = Buffer.alloc(2048)
  #sequence = 0

  /** `nic` and `source`: the laptop's interface on the plane and its address there. */
  constructor(nic: string, source: string, target: string) {
    const mac = networkInterfaces()[nic]?.[0]?.mac
    if (!mac) throw new Error(`The laptop has no interface ${nic}`)
    this.#descriptor = this.#libc.socket(17, 3 | 0o2000000, swap16(etherIpv4))
    // sockaddr_ll of linux/if_packet.h.
    const address = Buffer.alloc(20)
    address.writeUInt16LE(17, 0)
    address.writeUInt16BE(etherIpv4, 2)
    address.writeInt32LE(this.#libc.if_nametoindex(nic), 4)
    if (this.#descriptor < 0 || this.#libc.bind(this.#descriptor, address, address.length) !== 0)
      throw new Error(`No packet socket on ${nic}: errno ${koffi.errno()}`)
    this.#frame = echoFrame(mac, source, target)
    this.#timers = [setInterval(() => this.#probe(), 10), setInterval(() => this.#receive(), 4)]
  }

  /** The first answer to a probe sent after `atMs` by a host other than `exceptMac`, waited for at most `timeoutMs`. */
  async firstAfter(atMs: number, exceptMac: string | null, timeoutMs: number): Promise<EchoAnswer | null> {
    for (const deadline = atMs + timeoutMs; performance.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 5))) {
      const found = this.answers.find((answer) => answer.sentAtMs >= atMs && answer.mac !== exceptMac)
      if (found) return found
    }
    return null
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer)
    this.#libc.close(this.#descriptor)
  }

  #probe(): void {
    this.#sequence = (this.#sequence + 1) & 0xffff
    this.#frame.writeUInt16BE(this.#sequence, 40)
    this.#frame.writeUInt16BE(0, 36)
    this.#frame.writeUInt16BE(checksum(this.#frame.subarray(34)), 36)
    this.#sentAtMs.set(this.#sequence, performance.now())
    this.#answeredBy.delete(this.#sequence)
    this.#libc.send(this.#descriptor, this.#frame, this.#frame.length, 0)
  }

  #receive(): void {
    for (;;) {
      const length = Number(this.#libc.recv(this.#descriptor, this.#answer, this.#answer.length, msgDontwait))
      if (length < 0) return
      const isEchoReply =
        length >= 42 && this.#answer.readUInt8(23) === 1 && this.#answer.readUInt8(34) === 0 && this.#answer.readUInt16BE(38) === identifier
      if (!isEchoReply) continue
      const sequence = this.#answer.readUInt16BE(40)
      const sentAtMs = this.#sentAtMs.get(sequence)
      if (sentAtMs === undefined) continue
      const mac = this.#answer.subarray(6, 12).toString('hex')
      const first = this.#answeredBy.get(sequence)
      if (first === undefined) this.#answeredBy.set(sequence, mac)
      else if (first !== mac) this.doubled.set(sequence, new Set([first, mac, ...(this.doubled.get(sequence) ?? [])]))
      this.answers.push({ sequence, sentAtMs, mac })
    }
  }
}

/** Ethernet to everybody, IPv4 (RFC 791) to the target, ICMP echo request (RFC 792). */
function echoFrame(mac: string, source: string, target: string): Buffer {
  const frame = Buffer.alloc(60)
  frame.fill(0xff, 0, 6)
  Buffer.from(mac.replaceAll(':', ''), 'hex').copy(frame, 6)
  frame.writeUInt16BE(etherIpv4, 12)
  frame.writeUInt8(0x45, 14)
  frame.writeUInt16BE(frame.length - 14, 16)
  frame.writeUInt8(64, 22)
  frame.writeUInt8(1, 23)
  Buffer.from(source.split('.').map(Number)).copy(frame, 26)
  Buffer.from(target.split('.').map(Number)).copy(frame, 30)
  frame.writeUInt16BE(checksum(frame.subarray(14, 34)), 24)
  frame.writeUInt8(8, 34)
  frame.writeUInt16BE(identifier, 38)
  return frame
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8)
}
