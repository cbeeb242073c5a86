import { isIPv4 } from 'node:net'
import koffi from 'koffi'
import { HoldfastError } from '../../core/errors.ts'
import { loadLibc, msgDontwait, sockCloexec, sockRaw } from './libc.ts'

/**
 * Adds, prolongs and removes an IPv4 address by rtnetlink(7) itself, not by an `ip` child: a process that is frozen between
 * deciding and acting must not leave a command in a pipe, which the child would carry out when both thaw, long after its time.
 *
 * Lifetimes are whole seconds for the kernel. It rounds the moment of removal up to its coarse clock when that is less than a quarter
 * of a second away (ADDRCONF_TIMER_FUZZ in net/ipv4/devinet.c). Measured on 6.18, HZ 250, 100 additions with `valid_lft 1` in a namespace:
 * gone after 1.00 to 1.25 s, median 1.03 s. Hence `kernelLateMs: 300` in core/cluster/leadership.ts.
 */
export class AddressSocket implements Disposable {
  readonly #libc = loadLibc()
  readonly #descriptor: number
  #sequence = 0

  /** Throws `internal` when the kernel gives no netlink socket. */
  constructor() {
    this.#descriptor = this.#libc.socket(afNetlink, sockRaw | sockCloexec, netlinkRoute)
    if (this.#descriptor < 0) throw new HoldfastError('internal', `No netlink socket: errno ${koffi.errno()}`, 'The agent must run as root.')
  }

  /** Adds the address or gives it a new lifetime, in seconds from now. Answers 0 or a positive errno (19 ENODEV: no such NIC). */
  hold(nic: string, address: string, lifetimeSeconds: number): number {
    return this.#change(rtmNewAddr, nlmCreate | nlmReplace, nic, address, lifetimeSeconds)
  }

  /** Removes the address. Answers 0 or a positive errno (99 EADDRNOTAVAIL: it was not there). */
  drop(nic: string, address: string): number {
    return this.#change(rtmDelAddr, 0, nic, address, null)
  }

  [Symbol.dispose](): void {
    this.#libc.close(this.#descriptor)
  }

  #change(type: number, flags: number, nic: string, address: string, lifetimeSeconds: number | null): number {
    const index = this.#libc.if_nametoindex(nic)
    if (index === 0) return 19
    const message = addressMessage({ type, flags, index, address, lifetimeSeconds, sequence: ++this.#sequence })
    if (this.#libc.send(this.#descriptor, message, message.length, 0) !== message.length) return koffi.errno()
    const answer = Buffer.alloc(4096)
    // The kernel has answered by the time send returns.
    for (;;) {
      const length = Number(this.#libc.recv(this.#descriptor, answer, answer.length, msgDontwait))
      if (length < 0) return koffi.errno()
      if (length >= 20 && answer.readUInt16LE(4) === nlmsgError && answer.readUInt32LE(8) === this.#sequence) return -answer.readInt32LE(16)
    }
  }
}

const afNetlink = 16
const netlinkRoute = 0
const rtmNewAddr = 20
const rtmDelAddr = 21
const nlmRequest = 0x1
const nlmAck = 0x4
const nlmReplace = 0x100
const nlmCreate = 0x400
const nlmsgError = 2
const ifaAddress = 1
const ifaLocal = 2
const ifaCacheinfo = 6

/**
 * RTM_NEWADDR or RTM_DELADDR of `linux/if_addr.h`, for a little-endian machine as all that Node runs on. The prefix is /32: an address
 * with the plane's own prefix could become its NIC's primary one, and the kernel would remove the host's address along with it.
 */
export function addressMessage(options: {
  type: number
  flags: number
  index: number
  address: string
  lifetimeSeconds: number | null
  sequence: number
}): Buffer {
  if (!isIPv4(options.address)) throw new HoldfastError('bad-input', `${options.address} is no IPv4 address`, 'Correct clusterIp in agent.json.')
  const octets = Buffer.from(options.address.split('.').map(Number))
  const attribute = (type: number, value: Buffer) => {
    const head = Buffer.alloc(4)
    head.writeUInt16LE(4 + value.length, 0)
    head.writeUInt16LE(type, 2)
    return Buffer.concat([head, value])
  }
  const body = Buffer.alloc(8)
  body.writeUInt8(2, 0)
  body.writeUInt8(32, 1)
  body.writeUInt32LE(options.index, 4)
  const parts = [body, attribute(ifaLocal, octets), attribute(ifaAddress, octets)]
  if (options.lifetimeSeconds !== null) {
    const cacheinfo = Buffer.alloc(16)
    cacheinfo.writeUInt32LE(options.lifetimeSeconds, 0)
    cacheinfo.writeUInt32LE(options.lifetimeSeconds, 4)
    parts.push(attribute(ifaCacheinfo, cacheinfo))
  }
  const header = Buffer.alloc(16)
  header.writeUInt32LE(16 + parts.reduce((sum, part) => sum + part.length, 0), 0)
  header.writeUInt16LE(options.type, 4)
  header.writeUInt16LE(nlmRequest | nlmAck | options.flags, 6)
  header.writeUInt32LE(options.sequence, 8)
  return Buffer.concat([header, ...parts])
}
