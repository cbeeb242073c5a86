import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { runProgram } from '../runtime/programs.ts'
import { checkGuest, type CheckedGuest } from './health-checks.ts'

/** As the agent starts a light guest, with a device that leads nowhere. */
const bootScript = `
mount -t proc proc /proc && hostname db-1 && ip link set dev lo up && ip link add name eth0 type veth peer name far && ip link set dev far up && ip link set dev eth0 up &&
ip address add 10.20.2.11/24 dev eth0 && ip address add fd00:2::11/64 dev eth0 nodad && echo ready && exec sleep 600`
let init: ChildProcess
let four: CheckedGuest
let six: CheckedGuest
const started: ChildProcess[] = []

beforeAll(async () => {
  const namespaces = ['--net', '--pid', '--mount', '--uts', '--ipc', '--fork', '--kill-child']
  const booted = spawn('unshare', [...namespaces, 'sh', '-c', bootScript], { stdio: ['ignore', 'pipe', 'inherit'] })
  init = booted
  await Promise.race([once(booted.stdout, 'data'), once(booted, 'exit')])
  const pid = Number(readFileSync(`/proc/${booted.pid}/task/${booted.pid}/children`, 'utf8').trim())
  four = { pid, address: '10.20.2.11' }
  six = { pid, address: 'fd00:2::11' }
})

const end = async (child: ChildProcess) => {
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}
afterEach(() => Promise.all(started.splice(0).map(end)))
afterAll(() => end(init))

/** Runs a Python program in the guest's network, and returns when it has said that it is ready. */
async function serve(program: string): Promise<void> {
  const child = spawn('nsenter', ['--target', String(four.pid), '--net', '--', 'python3', '-uc', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  started.push(child)
  await once(child.stdout, 'data')
}

const listen = (address: string, port: number, then: string): string =>
  `import socket, time\ns = socket.create_server(('${address}', ${port}), family=socket.${address.includes(':') ? 'AF_INET6' : 'AF_INET'})\nprint('ready')\n${then}`
const answerAll = (status: string): string =>
  `while True:\n c, _ = s.accept()\n c.recv(9999)\n c.sendall(b'HTTP/1.0 ${status}\\r\\n\\r\\nhello')\n c.close()`
const inside = (...argv: string[]) => runProgram(['nsenter', '--target', String(four.pid), '--net', '--', ...argv])

describe('a check from inside a light guest', () => {
  it('of TCP finds who listens at the guest’s address, IPv4 and IPv6, and nowhere else', async () => {
    expect(await checkGuest({ tcp: 3306 }, four, 2000)).toBe('nothing listens at TCP port 3306')
    await serve(listen('10.20.2.11', 3306, 'time.sleep(99)'))
    expect(await checkGuest({ tcp: 3306 }, four, 2000)).toBeNull()
    expect(await checkGuest({ tcp: 3306 }, six, 2000)).toBe('nothing listens at TCP port 3306')
    await serve(listen('fd00:2::11', 3306, 'time.sleep(99)'))
    expect(await checkGuest({ tcp: 3306 }, six, 2000)).toBeNull()
    await expect(runProgram(['python3', '-c', "import socket; socket.create_connection(('127.0.0.1', 3306), 1)"])).rejects.toThrow('refused')
  })

  it.each([
    ['200 OK', null],
    ['302 Found', null],
    ['404 Not Found', 'HTTP /well at port 80 answers 404'],
    ['503 Busy', 'HTTP /well at port 80 answers 503'],
  ])('of HTTP takes %s as it is meant', async (status, why) => {
    await serve(listen('', 80, answerAll(status)))
    expect(await checkGuest({ http: '/well' }, four, 2000)).toBe(why)
  })

  it('of HTTP gives up on who accepts and says nothing, and on who speaks something else', async () => {
    await serve(listen('', 8080, 'time.sleep(99)'))
    expect(await checkGuest({ http: '/', port: 8080 }, four, 300)).toBe('HTTP at port 8080 did not answer within 0.3 s')
    await serve(listen('', 8081, "while True:\n c, _ = s.accept()\n c.sendall(b'5.7.1-mysql')\n time.sleep(1)"))
    expect(await checkGuest({ http: '/', port: 8081 }, four, 2000)).toContain('TCP port 8081')
  })

  it('of TCP gives up on an address that nobody answers for', async () => {
    await inside('ip', 'route', 'replace', 'default', 'via', '10.20.2.1', 'dev', 'eth0')
    expect(await checkGuest({ tcp: 80 }, { ...four, address: '192.0.2.1' }, 300)).toMatch(/did not answer within 0.3 s|EHOSTUNREACH/)
  })

  it('by a command runs it in the guest as it is written, and kills it when it takes too long', async () => {
    expect(await checkGuest({ command: ['true'] }, four, 2000)).toBeNull()
    expect(await checkGuest({ command: ['sh', '-c', 'test "$(hostname) $1" = "db-1 a; b"', 'sh', 'a; b'] }, four, 2000)).toBeNull()
    expect(await checkGuest({ command: ['sh', '-c', 'echo no leader >&2; exit 3'] }, four, 2000)).toBe('The command sh ended with 3: no leader')
    expect(await checkGuest({ command: ['no-such-program'] }, four, 2000)).toContain('no-such-program')
    expect(await checkGuest({ command: ['sleep', '4321'] }, four, 500)).toBe('The command sleep did not answer within 0.5 s')
    await expect(runProgram(['pgrep', '-f', 'sleep 4321'])).rejects.toThrow()
  })

  it('of a guest that is gone says so', async () => {
    expect(await checkGuest({ tcp: 80 }, { ...four, pid: 2 ** 22 + 1 }, 2000)).toContain('ENOENT')
  })
})
