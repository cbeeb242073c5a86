import { expect, it } from 'vitest'
import { fromHex } from '../packet/bytes.ts'
import { arpRequest, icmpEcho, neighbourSolicitation, tcpSegment, udpDatagram } from '../packet/compose.ts'
import { frameFlow } from './frame-flow.ts'

const a = { mac: '0e:00:00:00:00:01', ip: '10.20.1.11' }
const b = { mac: '0e:00:00:00:00:02', ip: '10.20.2.11' }
const six = { mac: a.mac, ip: 'fd00:1::11' }
const ends = 'dl_src=0e:00:00:00:00:01,dl_dst=0e:00:00:00:00:02'

it.each<[string, Uint8Array, string]>([
  [
    'UDP',
    udpDatagram(a, b, { sport: 1, dport: 2 }),
    `${ends},ip,nw_proto=17,nw_src=10.20.1.11,nw_dst=10.20.2.11,nw_ttl=64,nw_tos=0,nw_ecn=0,udp_src=1,udp_dst=2`,
  ],
  ['a SYN', tcpSegment(a, b, { sport: 1, dport: 2, flags: 2, seq: 3 }), 'tcp_src=1,tcp_dst=2,tcp_flags=-fin+syn-rst-psh-ack-urg-ece-cwr'],
  ['echo', icmpEcho(a, b, { id: 7, seq: 9 }), 'icmp_type=8,icmp_code=0'],
  ['ARP', arpRequest(a, b.ip), 'arp,arp_op=1,arp_spa=10.20.1.11,arp_tpa=10.20.2.11,arp_sha=0e:00:00:00:00:01,arp_tha=00:00:00:00:00:00'],
  ['IPv6', neighbourSolicitation(six, 'fd00:1::12'), 'icmpv6_type=135,icmpv6_code=0,nd_target=fd00:1::12,nd_sll=0e:00:00:00:00:01'],
  ['no IP', fromHex(`0e00000000020e000000000188b5${'07'.repeat(46)}`), `${ends},dl_type=0x88b5`],
])('a frame as a flow: %s', (_, frame, flow) => expect(frameFlow(frame)).toContain(flow))
