import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { growReceiveBuffers, receiveBufferBytes } from './receive-buffers.ts'

/** Has a packet socket and another one, and says how large their receive buffers are when asked. */
const program = `
import socket, sys
sockets = [socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)]
print('ready', flush=True)
sys.stdin.readline()
print(*[one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for one in sockets])
`

test('the packet sockets of another process get room, its others stay as they are', async () => {
  const child = spawn('python3', ['-c', program], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdout.setEncoding('utf8')
  try {
    await once(child.stdout, 'data')
    expect(growReceiveBuffers(child.pid!)).toBe(1)
    child.stdin.end('\n')
    const [text] = (await once(child.stdout, 'data')) as [string]
    const [packet, other] = text.trim().split(' ').map(Number)
    expect(packet).toBe(2 * receiveBufferBytes)
    expect(other).toBeLessThan(2 * receiveBufferBytes)
  } finally {
    child.kill('SIGKILL')
  }
  expect(() => growReceiveBuffers(2 ** 22 + 1)).toThrow('pidfd_open')
})
