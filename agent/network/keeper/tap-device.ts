import { closeSync, openSync, read, writeSync } from 'node:fs'
import koffi from 'koffi'
import { HoldfastError } from '../../../core/errors.ts'

/** linux/if_tun.h: attaches a descriptor of /dev/net/tun to a device; has the device stay when the descriptor is closed. */
const requests = { TUNSETIFF: 0x400454ca, TUNSETPERSIST: 0x400454cb } as const
/** Frames with Ethernet header, as they are, without a header of the kernel's. */
const flags = { IFF_TAP: 0x0002, IFF_NO_PI: 0x1000 } as const
const ifreqBytes = 40
const nameBytes = 16
/** The largest frame that a device of 9,000 bytes' MTU carries, and more. */
const frameBytes = 16 * 1024

/**
 * The reading end of a persistent tap device. It waits for frames in a thread of libuv's pool, which it keeps busy as long as it lives; the
 * process can end all the same.
 */
export class TapDevice implements Disposable {
  readonly #descriptor: number
  readonly #buffer = Buffer.alloc(frameBytes)
  #closed = false

  /** Attaches to a device, which is made if there is none, and stays. Throws `busy` where another process reads it. */
  constructor(device: string) {
    const request = Buffer.alloc(ifreqBytes)
    request.write(device, 0, nameBytes - 1, 'latin1')
    request.writeUInt16LE(flags.IFF_TAP | flags.IFF_NO_PI, nameBytes)
    this.#descriptor = openSync('/dev/net/tun', 'r+')
    // Any argument but 0 is a yes.
    const persist = Buffer.from([1])
    const call = ioctl()
    if (call(this.#descriptor, requests.TUNSETIFF, request) === 0 && call(this.#descriptor, requests.TUNSETPERSIST, persist) === 0) return
    const errno = koffi.errno()
    closeSync(this.#descriptor)
    throw new HoldfastError('busy', `The tap device ${device} cannot be read: errno ${errno}`, 'See whether another process of the agent reads it.')
  }

  /** Hands over every frame that the device sends from now on, and calls `onEnd` when the device is gone. The frame's bytes are valid during the call only. To be called once. */
  listen(onFrame: (frame: Uint8Array) => void, onEnd: () => void): void {
    read(this.#descriptor, this.#buffer, 0, frameBytes, null, (error, bytes) => {
      if (this.#closed) closeSync(this.#descriptor)
      else if (error || bytes === 0) {
        this[Symbol.dispose]()
        closeSync(this.#descriptor)
        onEnd()
      } else {
        onFrame(this.#buffer.subarray(0, bytes))
        this.listen(onFrame, onEnd)
      }
    })
  }

  /** Has the device receive a frame. One that it does not take, e.g. because it is down, is lost; answers whether it took it. */
  write(frame: Uint8Array): boolean {
    try {
      return !this.#closed && writeSync(this.#descriptor, frame) === frame.length
    } catch {
      return false
    }
  }

  /** Hands over no more frames. The device is let go with the next frame that it sends, for a read that waits cannot be called back. */
  [Symbol.dispose](): void {
    this.#closed = true
  }
}

let ioctlFunction: ((descriptor: number, request: number, argument: Buffer) => number) | undefined

function ioctl(): (descriptor: number, request: number, argument: Buffer) => number {
  ioctlFunction ??= koffi.load(null).func('int ioctl(int, ulong, _Inout_ void *)') as unknown as typeof ioctlFunction
  return ioctlFunction!
}
