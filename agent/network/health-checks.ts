import { request } from 'node:http'
import type { Socket } from 'node:net'
import type { HealthCheck } from '../../core/model/network.ts'
import { runProgram } from '../runtime/programs.ts'
import { guestSocket } from './guest-socket.ts'

/** A guest that is checked: its process 1, as this host counts, and the address that checks connect to. */
export interface CheckedGuest {
  pid: number
  address: string
}

const httpPort = 80
/** What a program's last words may take of a report. */
const longestWhy = 200

/**
 * Checks a light guest once, from inside it. TCP: somebody accepts connections at the guest's own address. HTTP: the answer to a GET is 2xx or
 * 3xx; what it redirects to is not asked. Command: it exits 0; it is run in the guest's namespaces, without a shell, and killed when it takes too
 * long. Answers null for a success, else in words what is wrong; never throws.
 */
export async function checkGuest(check: HealthCheck, guest: CheckedGuest, limitMs: number): Promise<string | null> {
  try {
    // What the schema lets through beside its keys hides which of them are there.
    const { tcp, http = '/', port = httpPort, command } = check as { tcp?: number; http?: string; port?: number; command?: string[] }
    if (command) return await runCheck(command, guest, limitMs)
    const socket = guestSocket(guest.pid, guest.address.includes(':') ? 6 : 4)
    try {
      return await (tcp === undefined ? get(socket, guest.address, port, http, limitMs) : connect(socket, guest.address, tcp, limitMs))
    } finally {
      socket.destroy()
    }
  } catch (thrown) {
    return (thrown as Error).message.slice(0, longestWhy)
  }
}

function connect(socket: Socket, address: string, port: number, limitMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(tooLate(`TCP port ${port}`, limitMs)), limitMs)
    const end = (why: string | null): void => {
      clearTimeout(timer)
      resolve(why)
    }
    socket.on('error', (error: NodeJS.ErrnoException) => end(refused(port, error)))
    socket.connect({ host: address, port }, () => end(null))
  })
}

function get(socket: Socket, address: string, port: number, path: string, limitMs: number): Promise<string | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(tooLate(`HTTP at port ${port}`, limitMs)), limitMs)
    const end = (why: string | null): void => {
      clearTimeout(timer)
      resolve(why)
    }
    socket.connect({ host: address, port })
    const asked = request({ host: address, port, path, headers: { connection: 'close' }, createConnection: () => socket }, (answer) => {
      const status = answer.statusCode ?? 0
      // What it says is not read to its end.
      answer.on('error', () => undefined).resume()
      end(status >= 200 && status < 400 ? null : `HTTP ${path} at port ${port} answers ${status}`)
    })
    asked.on('error', (error: NodeJS.ErrnoException) => end(refused(port, error)))
    asked.end()
  })
}

async function runCheck(command: readonly string[], { pid }: CheckedGuest, limitMs: number): Promise<string | null> {
  const namespaces = ['--net', '--pid', '--mount', '--uts', '--ipc']
  // It is ended inside: what is killed from outside leaves its children behind.
  const inside = ['timeout', '--signal=KILL', String(limitMs / 1000), ...command]
  try {
    await runProgram(['nsenter', `--target=${pid}`, ...namespaces, '--', ...inside], { timeoutMs: limitMs * 2 })
    return null
  } catch (thrown) {
    const { message } = thrown as Error
    const what = `The command ${command[0] ?? ''}`
    if (message.includes('was killed after') || message.includes('ended with 137')) return tooLate(what, limitMs)
    const how = /(?:ended with|could not be started)[^]*$/.exec(message)?.[0] ?? message
    return `${what} ${how}`.slice(0, longestWhy)
  }
}

function refused(port: number, { code, message }: NodeJS.ErrnoException): string {
  return code === 'ECONNREFUSED' ? `nothing listens at TCP port ${port}` : `TCP port ${port}: ${code ?? message}`
}

function tooLate(what: string, limitMs: number): string {
  return `${what} did not answer within ${limitMs / 1000} s`
}
