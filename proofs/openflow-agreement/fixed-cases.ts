import { parseFlowLine } from '../../core/net/openflow/flow.ts'
import { buildFrame } from '../../core/net/packet/build.ts'
import { icmpEcho, udpDatagram } from '../../core/net/packet/compose.ts'
import type { Ipv4 } from '../../core/net/packet/packet.ts'
import { parseFrame } from '../../core/net/packet/parse.ts'
import type { Case } from './case.ts'

/** Cases at the limits, where chance does not go: it would crash the switch, or leave fragments behind that come out later. */

const a = { mac: '02:00:00:00:00:01', ip: '10.0.0.1' }
const b = { mac: '02:00:00:00:00:02', ip: '10.0.0.2' }
const echo = icmpEcho(a, b, { id: 1, seq: 1 })

function fragment(fields: Partial<Ipv4>): Uint8Array {
  const whole = parseFrame(udpDatagram(a, b, { sport: 1, dport: 2 }, { payload: new Uint8Array(1400) }))!
  return buildFrame({ ...whole, ip: { ...(whole.ip as Ipv4), dontFragment: false, ...fields } })
}

function made(lines: string[], frame: Uint8Array, inPort = 1, groups: string[] = []): Case {
  return { flows: lines.map(parseFlowLine), groups, portsDown: new Set(), arrivals: [{ inPort, tunnelId: 77, frame, afterMs: 0 }] }
}

const times = (count: number, action: string): string => Array.from({ length: count }, () => action).join(',')
const wide = (more: string): string[] => [
  `table=0,actions=output:2,${times(64, 'resubmit(,1)')}${more}`,
  `table=1,actions=${times(63, 'resubmit(,2)')}`,
  'table=2,actions=drop',
]
const deep = (depth: number): string[] => [
  ...Array.from({ length: depth }, (_, index) => `table=0,reg0=${index},actions=set_field:${index + 1}->reg0,resubmit(,0)`),
  `table=0,reg0=${depth},actions=output:2`,
]
const alive = 'group_id=1,type=ff,bucket=watch_port=2,actions=output:3'
const deepGroup = (depth: number): string[] => [...deep(depth).slice(0, -1), `table=0,reg0=${depth},actions=output:2,group:1`]
const held = ['table=0,ip,actions=output:2,clone(ct(commit,zone=5),output:3),ct(table=1,zone=6),output:4', 'table=1,actions=output:5']

/** By name; those with fragments come last. */
export const fixedCases: Record<string, Case> = {
  '4,096 resubmits': made(wide(''), echo),
  '4,097 resubmits': made(wide(',resubmit(,2)'), echo),
  'a depth of 64': made(deep(64), echo),
  'a depth of 65': made(deep(65), echo),
  'a depth of 64 to a group': made(deepGroup(63), echo, 1, [alive]),
  'a depth of 65 to a group': made(deepGroup(64), echo, 1, [alive]),
  'seven recirculations': made(['table=0,ip,actions=output:2,ct(table=0,zone=5)'], echo),
  'seven recirculations behind a tunnel': made(['table=0,ip,actions=output:2,ct(table=0,zone=5)'], echo, 7),
  'back through the tunnel': made(['table=0,actions=move:NXM_NX_TUN_IPV4_SRC[]->NXM_NX_TUN_IPV4_DST[],in_port,output:8'], echo, 7),
  'a first fragment': made(held, fragment({ moreFragments: true, id: 1 })),
  'a last fragment': made(held, fragment({ fragmentOffsetBytes: 1480, id: 2 })),
}
