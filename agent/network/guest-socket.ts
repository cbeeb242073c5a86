import { closeSync, openSync } from 'node:fs'
import { Socket } from 'node:net'
import koffi from 'koffi'
import { HoldfastError } from '../../core/errors.ts'
import { loadLibc, sockCloexec, sockStream } from '../cluster/libc.ts'

/** linux/sched.h: the network namespace. */
const cloneNewnet = 0x4000_0000
/** sys/socket.h. */
const families = { 4: 2, 6: 10 } as const

/**
 * A TCP socket, not connected yet, in the network namespace of a process: a socket stays where it was made. Only the calling thread is in that
 * namespace, and only within this call. Throws `internal` with the errno, and what opening `/proc/PID/ns/net` throws.
 */
export function guestSocket(pid: number, family: 4 | 6): Socket {
  const libc = loadLibc()
  const here = openSync('/proc/thread-self/ns/net', 'r')
  try {
    const there = openSync(`/proc/${pid}/ns/net`, 'r')
    try {
      if (libc.setns(there, cloneNewnet) !== 0) throw failed(`The network of process ${pid} could not be entered`)
      const descriptor = libc.socket(families[family], sockStream | sockCloexec, 0)
      const errno = koffi.errno()
      // To go on in a guest's network would be worse than to be started again.
      if (libc.setns(here, cloneNewnet) !== 0) process.abort()
      if (descriptor < 0) throw failed(`No socket in the network of process ${pid}`, errno)
      return new Socket({ fd: descriptor, readable: true, writable: true })
    } finally {
      closeSync(there)
    }
  } finally {
    closeSync(here)
  }
}

function failed(what: string, errno = koffi.errno()): HoldfastError {
  return new HoldfastError('internal', `${what}: errno ${errno}`, 'The agent must run as root.', { errno })
}
