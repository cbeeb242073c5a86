import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import fc from 'fast-check'
import { createAgent, createMib, MaxAccess, MibProviderType, ObjectType } from 'net-snmp'
import { afterEach, describe, expect, it } from 'vitest'
import { SnmpSession } from './snmp-session.ts'

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

/** A device on loopback that answers each datagram with what `answer` makes of it. Its port. */
async function device(answer: (request: Buffer) => Buffer | null): Promise<number> {
  const socket: Socket = createSocket('udp4')
  ends.push(() => socket.close())
  socket.on('message', (request, { port }) => {
    const reply = answer(request)
    if (reply) socket.send(reply, port, '127.0.0.1')
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket.address().port
}

function session(port: number, totalMs: number, community = 'public'): SnmpSession {
  const opened = new SnmpSession({ address: '127.0.0.1', port, sourceAddress: '127.0.0.1', community, totalMs })
  ends.push(() => opened[Symbol.dispose]())
  return opened
}

function counter64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

/** GetRequest-PDU and Report-PDU, RFC 3416 §3. */
const pduTags = { get: 0xa0, report: 0xa8 }
const refused = { code: 'timeout', message: expect.stringContaining('127.0.0.1 did not answer by SNMP') as string }

describe('a session', () => {
  it('reads objects and columns of a real SNMP agent, more than fit into one answer, and leaves out what there is not', async () => {
    const [table, rows] = ['1.3.6.1.4.1.8072.9999.1', 130]
    const free = await device(() => null)
    ends.pop()!()
    const agent = createAgent({ address: '127.0.0.1', port: free, accessControlModelType: 0 }, () => undefined, createMib())
    ends.push(() => agent.close())
    agent.getAuthorizer().addCommunity('secret')
    const column = (number: number, name: string, type: ObjectType) => ({ number, name, type, maxAccess: MaxAccess['read-only'] })
    agent.getMib().registerProvider({
      ...{ name: 'rows', type: MibProviderType.Table, oid: table, maxAccess: MaxAccess['not-accessible'] },
      tableColumns: [column(1, 'index', ObjectType.Integer), column(2, 'name', ObjectType.OctetString), column(3, 'count', ObjectType.Counter64)],
      tableIndex: [{ columnName: 'index' }],
    })
    for (let row = 1; row <= rows; row++) agent.getMib().addTableRow('rows', [row, `swp${row}`, counter64(2 ** 33 + row)])

    using snmp = session(free, 20_000, 'secret')
    const names = await snmp.column(`${table}.2`)
    expect(names.size).toBe(rows)
    expect(names.get('130')!.toString()).toBe('swp130')
    const oids = Array.from({ length: rows + 5 }, (_, index) => `${table}.3.${index + 1}`)
    const counts = await snmp.get(oids)
    expect(counts.size).toBe(rows)
    expect(counts.get(`${table}.3.7`)).toBe(2 ** 33 + 7)
    expect((await snmp.column('1.3.6.1.2.1.99')).size).toBe(0)
  })

  it('fails in its time where nobody answers, whatever is asked, and by its end', async () => {
    const snmp = session(await device(() => null), 300)
    await expect(snmp.get(['1.3.6.1.2.1.1.5.0'])).rejects.toMatchObject(refused)
    await expect(snmp.column('1.3.6.1.2.1.2.2.1.2')).rejects.toMatchObject(refused)
    const ended = session(await device(() => null), 60_000)
    const asked = ended.get(['1.3.6.1.2.1.1.5.0'])
    ended[Symbol.dispose]()
    await expect(asked).rejects.toMatchObject(refused)
  })

  it('outlives answers that are none', async () => {
    const report = (request: Buffer) => Buffer.from(request.map((byte) => (byte === pduTags.get ? pduTags.report : byte)))
    await expect(session(await device(report), 300).get(['1.3.6.1.2.1.1.5.0'])).rejects.toMatchObject(refused)
    const mutations = fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { minLength: 1, maxLength: 8 })
    const asked = fc.sample(mutations, 200).map(async (changes) => {
      const broken = (request: Buffer) => {
        const reply = Buffer.from(request)
        for (const [at, byte] of changes) if (at < reply.length) reply[at] = byte
        return reply
      }
      return await session(await device(broken), 300).get(['1.3.6.1.2.1.1.5.0'])
    })
    for (const outcome of await Promise.allSettled(asked)) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(refused)
  })
})
