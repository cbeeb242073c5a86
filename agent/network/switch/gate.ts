import { createConnection } from 'node:net'
import type { Flow } from '../../../core/net/openflow/flow.ts'
import { HoldfastError } from '../../../core/errors.ts'

/** Keeps a standby from forwarding: the highest of all flows, which drops everything on br-int. */
export const gateFlow: Flow = { table: 0, priority: 0xffff, cookie: '0x67617465', match: '', actions: 'drop' }

/** OpenFlow 1.5 (ONF TS-025), section 7: message types and values used here. */
const version = 6
const types = { hello: 0, error: 1, flowMod: 14, barrierRequest: 20, barrierReply: 21 } as const
const deleteStrict = 4
const any = 0xffff_ffff
const headerBytes = 8

/**
 * Removes the gate of a bridge. Speaks OpenFlow itself, all in one message, because a program would first have to be started while packets
 * wait. Resolves when the switch has done it. `socket`: the bridge's management socket. Throws `module-unhealthy`, `step-failed`, `timeout`.
 */
export function openGate(socket: string, timeoutMs = 2000): Promise<void> {
  return new Promise((resolve, reject) => {
    const connection = createConnection(socket)
    const end = (failure?: HoldfastError): void => {
      clearTimeout(timer)
      connection.destroy()
      if (failure) reject(failure)
      else resolve()
    }
    const fail = (code: 'module-unhealthy' | 'step-failed' | 'timeout', why: string): void =>
      end(new HoldfastError(code, `The gate of ${socket} was not opened: ${why}`, 'The keeper starts another switch.'))
    const timer = setTimeout(() => fail('timeout', `no answer for ${timeoutMs} ms`), timeoutMs)
    let pending = Buffer.alloc(0)
    connection.on('error', (cause) => fail('module-unhealthy', cause.message))
    connection.on('close', () => fail('module-unhealthy', 'the switch hung up'))
    connection.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk])
      while (pending.length >= headerBytes && pending.length >= pending.readUInt16BE(2)) {
        const type = pending[1]
        if (type === types.barrierReply) return end()
        if (type === types.error) return fail('step-failed', `error ${pending.subarray(headerBytes).toString('hex')}`)
        pending = pending.subarray(pending.readUInt16BE(2))
      }
    })
    connection.write(Buffer.concat([message(types.hello), message(types.flowMod, gateRemoval()), message(types.barrierRequest)]))
  })
}

function message(type: number, body: Uint8Array = new Uint8Array()): Buffer {
  const bytes = Buffer.alloc(headerBytes + body.length)
  bytes[0] = version
  bytes[1] = type
  bytes.writeUInt16BE(bytes.length, 2)
  bytes.writeUInt32BE(type, 4)
  bytes.set(body, headerBytes)
  return bytes
}

/** struct ofp_flow_mod after its header, with an empty match. */
function gateRemoval(): Buffer {
  const body = Buffer.alloc(48)
  body[16] = gateFlow.table
  body[17] = deleteStrict
  body.writeUInt16BE(gateFlow.priority, 22)
  body.writeUInt32BE(any, 24) // buffer
  body.writeUInt32BE(any, 28) // out port
  body.writeUInt32BE(any, 32) // out group
  body.writeUInt16BE(1, 40) // match of type OXM
  body.writeUInt16BE(4, 42) // of no fields
  return body
}
