import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openGate } from './gate.ts'

let directory: string
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'gate-'))))
afterEach(() => rmSync(directory, { recursive: true }))

/** A switch that sends its hello and then what `answer` gives for each message it hears. */
async function withSwitch(answer: (message: Buffer) => Buffer | null, act: (path: string) => Promise<void>): Promise<Buffer[]> {
  const path = join(directory, 'mgmt')
  const heard: Buffer[] = []
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined)
    socket.write(Buffer.from('0600000800000001', 'hex'))
    let pending = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk])
      while (pending.length >= 8 && pending.length >= pending.readUInt16BE(2)) {
        const message = pending.subarray(0, pending.readUInt16BE(2))
        pending = pending.subarray(message.length)
        heard.push(message)
        const reply = answer(message)
        if (reply) socket.write(reply)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  try {
    await act(path)
  } finally {
    server.close()
  }
  return heard
}

test('the gate’s flow, and no other, is deleted, and the switch’s word waited for', async () => {
  const heard = await withSwitch(
    (message) => (message[1] === 20 ? Buffer.from(`06150008${message.toString('hex', 4, 8)}`, 'hex') : null),
    (path) => openGate(path),
  )
  expect(heard.map((message) => message[1])).toEqual([0, 14, 20])
  // OpenFlow 1.5, 7.3.4.2: cookie and its mask 0, table 0, delete strict, priority 65,535, any port and group, an empty match.
  expect(heard[1]!.toString('hex', 8)).toBe(
    [
      '0000000000000000',
      '0000000000000000',
      '00',
      '04',
      '0000',
      '0000',
      'ffff',
      'ffffffff',
      'ffffffff',
      'ffffffff',
      '0000',
      '0000',
      '0001',
      '0004',
      '00000000',
    ].join(''),
  )
})

test('a switch that refuses, hangs or is not there is said to', async () => {
  await withSwitch(
    (message) => (message[1] === 14 ? Buffer.from('0601000c000000010001000a', 'hex') : null),
    (path) => expect(openGate(path)).rejects.toMatchObject({ code: 'step-failed' }),
  )
  await withSwitch(
    () => null,
    (path) => expect(openGate(path, 50)).rejects.toMatchObject({ code: 'timeout' }),
  )
  await expect(openGate(join(directory, 'none'))).rejects.toMatchObject({ code: 'module-unhealthy' })
})
