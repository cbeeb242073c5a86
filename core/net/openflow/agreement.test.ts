import { expect, it } from 'vitest'
import { fromHex, toHex } from '../packet/bytes.ts'
import { icmpEcho } from '../packet/compose.ts'
import { StatefulConntrack } from './conntrack.ts'
import { parseFlowLine } from './flow.ts'
import { runPipeline, type PipelineInput } from './pipeline.ts'
import { FlowTables } from './tables.ts'

/**
 * Where this interpreter once did something else than Open vSwitch 3.1.0 (proofs/openflow-agreement): each with the flows and the frame
 * that told, and what OVS did.
 */

const a = { mac: '02:00:00:00:00:01', ip: '10.0.0.1' }
const b = { mac: '02:00:00:00:00:02', ip: '10.0.0.2' }

function run(flows: string[], frame: Uint8Array, input: Partial<PipelineInput> = {}) {
  return runPipeline(new FlowTables(flows.map(parseFlowLine)), frame, { inPort: 1, conntrack: new StatefulConntrack(), ...input })
}

/** Sends what conntrack says of a packet as the last byte of its source MAC. */
const tellState = [
  'table=0,ip,actions=ct(table=1,zone=5)',
  'table=0,ipv6,actions=ct(table=1,zone=5)',
  'table=1,actions=move:NXM_NX_CT_STATE[0..7]->NXM_OF_ETH_SRC[0..7],output:6',
]
const toldState = (frame: string) => run(tellState, fromHex(frame)).outputs.map((output) => output.frame[11])

it('taking off the header of a tunnel counts as one of the six times that a packet is looked up anew', () => {
  const flows = ['table=0,ip,actions=output:5,ct(table=0,zone=5)']
  const frame = icmpEcho(a, b, { id: 1, seq: 1 })
  expect(run(flows, frame).outputs).toHaveLength(7)
  expect(run(flows, frame, { inPort: 7, tunnel: { id: 77, src: '192.0.2.2', dst: '192.0.2.1' } }).outputs).toHaveLength(6)
})

it('conntrack goes by the protocol number alone: ICMPv6 in IPv4 opens a connection only as an echo request', () => {
  const ip = '4500001c00004000403a26a6' + '0a000001' + '0a000002'
  const ethernet = '0200000000020200000000010800'
  expect(toldState(`${ethernet}${ip}5400000000010001`)).toEqual([0x30])
  expect(toldState(`${ethernet}${ip}8000000000010001`)).toEqual([0x21])
})

it('an IPv6 header is one by the Ethernet type, whatever version it says', () => {
  const frame = toHex(icmpEcho({ ...a, ip: 'fd00::1' }, { ...b, ip: 'fd00::2' }, { id: 1, seq: 1 }))
  expect(toldState(frame.replace('86dd60', '86dd4c'))).toEqual([0x21])
})

it('OVS reads a packet anew for the controller, but no second VLAN tag, and then writes to the wrong place', () => {
  const flows = [
    'table=0,ip,dl_vlan=11,actions=push_vlan:0x8100,set_field:4106->vlan_vid,output:2,controller(max_len=128),set_field:1->nw_ttl,output:3',
  ]
  const [macs, ip] = ['020000000002020000000001', '4500001c00004000401126cf0a0000010a000002000100020008ebd8']
  const { outputs } = run(flows, fromHex(`${macs}88a8000b0800${ip}`))
  const tags = `${macs}8100000a88a8000b0800`
  expect(outputs.map(({ frame }) => toHex(frame))).toEqual([tags + ip, tags + ip.replace('00004000', '01003f00')])
})
