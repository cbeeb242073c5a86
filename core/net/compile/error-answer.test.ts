import { describe, expect, it } from 'vitest'
import { StatefulConntrack } from '../openflow/conntrack.ts'
import { runPipeline } from '../openflow/pipeline.ts'
import { icmpEcho, tcpSegment, udpDatagram } from '../packet/compose.ts'
import { parseFrame } from '../packet/parse.ts'
import { shop, testWorld } from '../trace/test-world.ts'
import { answerError } from './error-answer.ts'
import { switchPorts } from './tables.ts'

const world = testWorld(shop)
const guest = world.index.ports.get('web-1')!
const gateway = { mac: world.index.routers.get('shop')!.mac, ip: '10.20.1.1' }
const from = { mac: guest.mac, ip: guest.ip }
const from6 = { mac: guest.mac, ip: guest.ip6! }

/** What comes back to web-1 for what it sends to its gateway's MAC: through the flows, out of the error port, answered, and back. */
function backTo(frame: Uint8Array) {
  const tables = world.tablesOf(guest.host)
  const conntrack = new StatefulConntrack()
  const [out] = runPipeline(tables, frame, { inPort: guest.number, conntrack }).outputs
  expect(out?.port).toBe(switchPorts.error)
  const answer = answerError(out!.frame)
  if (!answer) return null
  const { outputs } = runPipeline(tables, answer, { inPort: switchPorts.error, conntrack })
  expect(outputs.map(({ port }) => port)).toEqual([guest.number])
  return parseFrame(outputs[0]!.frame)
}

const to = (ip: string) => ({ mac: gateway.mac, ip })
const port = { sport: 4000, dport: 9 }

describe('an ICMP error comes back from the gateway', () => {
  it.each([
    ['time exceeded', icmpEcho(from, to('10.20.2.11'), { id: 1, seq: 1 }, { ttl: 1 }), 11, 0, '10.20.1.1'],
    ['no route', udpDatagram(from, to('192.0.2.1'), port), 3, 0, '10.20.1.1'],
    ['host unreachable', udpDatagram(from, to('10.20.2.99'), port), 3, 1, '10.20.1.1'],
    ['port unreachable, from the gateway that was asked', udpDatagram(from, to('10.20.2.1'), port), 3, 3, '10.20.2.1'],
    ['no service', tcpSegment(from, to('10.20.1.1'), { ...port, flags: 2 }), 3, 3, '10.20.1.1'],
    ['fragmentation needed', udpDatagram(from, to('10.20.2.11'), port, { payload: new Uint8Array(1400) }), 3, 4, '10.20.1.1'],
    ['IPv6: time exceeded', icmpEcho(from6, to('fd00:2::11'), { id: 1, seq: 1 }, { ttl: 1 }), 3, 0, 'fd00:1::1'],
    ['IPv6: too big', udpDatagram(from6, to('fd00:2::11'), port, { payload: new Uint8Array(1400) }), 2, 0, 'fd00:1::1'],
    ['IPv6: no route', udpDatagram(from6, to('2001:db8::1'), port), 1, 0, 'fd00:1::1'],
  ])('%s', (_, frame, type, code, source) => {
    const answer = backTo(frame)
    expect(answer).toMatchObject({ src: gateway.mac, dst: guest.mac, transport: { type, code }, ip: { src: source } })
    expect([guest.ip, guest.ip6]).toContain(answer!.ip!.dst)
    if (type === 3 && code === 4 && answer!.transport?.kind === 'icmp') expect(answer!.transport.rest & 0xffff).toBe(1400)
    if (type === 2 && answer!.transport?.kind === 'icmp6') expect(answer!.transport.rest).toBe(1400)
  })

  it('never for an ICMP error', () => {
    const error = backTo(icmpEcho(from, to('10.20.2.11'), { id: 1, seq: 1 }, { ttl: 1 }))!
    expect(error.transport).toMatchObject({ type: 11 })
    const again = icmpEcho(from, to('10.20.2.11'), { id: 1, seq: 1 }, { ttl: 1 })
    again[34] = 11
    expect(backTo(again)).toBeNull()
  })

  it('never for a frame that no flow of ours sent there', () => {
    expect(answerError(icmpEcho(from, to('10.20.2.11'), { id: 1, seq: 1 }))).toBeNull()
    expect(answerError(new Uint8Array(10))).toBeNull()
  })
})
