import koffi from 'koffi'
import { HoldfastError } from '../../../core/errors.ts'
import { openSockets } from './stale-packets.ts'

/**
 * What a packet socket of the switch that forwards may hold, in bytes of payload; the kernel doubles it for its own. Where user space
 * forwards, whatever does not fit while ovs-vswitchd waits for a core is lost, and by default that is some 90 full frames: TCP got through
 * at a third of the rate. More would only make packets wait.
 */
export const receiveBufferBytes = 1024 * 1024

/** The same numbers on all architectures: pidfd_open(2), pidfd_getfd(2). */
const calls = { pidfdOpen: 434, pidfdGetfd: 438 } as const
/** socket(7), packet(7). */
const SOL_SOCKET = 1
const SO_DOMAIN = 39
const SO_RCVBUFFORCE = 33
const AF_PACKET = 17

/** Sets it for all packet sockets that a process has open now; answers how many these are. Throws `internal` where it may not. */
export function growReceiveBuffers(pid: number): number {
  const { syscall, getsockopt, setsockopt, close } = libc()
  const process = syscall(calls.pidfdOpen, pid, 0, 0)
  if (process < 0) throw failed('pidfd_open')
  try {
    let grown = 0
    for (const descriptor of openSockets(pid).values()) {
      const socket = syscall(calls.pidfdGetfd, process, descriptor, 0)
      // Closed in between.
      if (socket < 0) continue
      try {
        const [domain, size, length] = [new Int32Array(1), new Int32Array([receiveBufferBytes]), new Int32Array([4])]
        if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, domain, length) !== 0 || domain[0] !== AF_PACKET) continue
        if (setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, size, 4) !== 0) throw failed('setsockopt')
        grown++
      } finally {
        close(socket)
      }
    }
    return grown
  } finally {
    close(process)
  }
}

function failed(call: string): HoldfastError {
  return new HoldfastError('internal', `${call} failed with errno ${koffi.errno()}`, 'The keeper needs to run as root.')
}

interface Libc {
  syscall(number: number, first: number, second: number, third: number): number
  getsockopt(socket: number, level: number, option: number, value: Int32Array, length: Int32Array): number
  setsockopt(socket: number, level: number, option: number, value: Int32Array, length: number): number
  close(descriptor: number): number
}

let loaded: Libc | undefined

function libc(): Libc {
  if (loaded) return loaded
  const library = koffi.load(null)
  loaded = {
    syscall: library.func('long syscall(long, long, long, long)'),
    getsockopt: library.func('int getsockopt(int, int, int, _Out_ void *, _Inout_ void *)'),
    setsockopt: library.func('int setsockopt(int, int, int, const void *, uint32_t)'),
    close: library.func('int close(int)'),
  } as unknown as Libc
  return loaded
}
