import { expect, it } from 'vitest'
import { arpRequest, neighbourSolicitation, tcpSegment } from '../packet/compose.ts'
import { ctStateText, fieldsOf } from './describe.ts'
import { extract } from './extract.ts'
import { at, keyWords } from './fields.ts'

const a = { mac: '02:00:00:00:00:01', ip: '10.0.0.1' }
const b = { mac: '02:00:00:00:00:02', ip: '10.0.0.2' }

function told(frame: Uint8Array, words: [number, number][] = []) {
  const key = new Uint32Array(keyWords)
  extract(frame, key)
  for (const [word, value] of words) key[word] = value
  return fieldsOf(key)
}

it('fields are told as a match says them, and no others', () => {
  expect(told(arpRequest(a, b.ip), [[at.inPort, 3]])).toEqual({
    in_port: '3',
    eth_src: a.mac,
    eth_dst: 'ff:ff:ff:ff:ff:ff',
    eth_type: '0x806',
    arp_op: '1',
    arp_spa: a.ip,
    arp_tpa: b.ip,
    arp_sha: a.mac,
    arp_tha: '00:00:00:00:00:00',
  })
  expect(
    told(tcpSegment(a, b, { sport: 1000, dport: 22, flags: 2 }), [
      [at.registers + 3, 77],
      [at.tunId + 1, 5],
      [at.ctState, 0x21],
      [at.ctZone, 5],
    ]),
  ).toMatchObject({
    ip_src: a.ip,
    nw_proto: '6',
    tp_dst: '22',
    tcp_flags: '0x2',
    reg3: '0x4d',
    tun_id: '0x5',
    ct_state: 'new|trk',
    ct_zone: '5',
  })
  const asked = told(neighbourSolicitation({ ...a, ip: 'fd00::1' }, 'fd00::2'))
  expect(asked).toMatchObject({ ipv6_src: 'fd00::1', icmp_type: '135', nd_target: 'fd00::2', nd_sll: a.mac })
  expect(asked).not.toHaveProperty('nd_tll')
})

it('connection states have their names', () => {
  expect(ctStateText(0x2a)).toBe('est|rpl|trk')
  expect(ctStateText(0)).toBe('')
})
