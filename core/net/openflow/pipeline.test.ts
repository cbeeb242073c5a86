import { describe, expect, it } from 'vitest'
import { toHex } from '../packet/bytes.ts'
import { arpRequest, icmpEcho, neighbourSolicitation, tcpSegment, udpDatagram } from '../packet/compose.ts'
import { parseFrame } from '../packet/parse.ts'
import { StatefulConntrack } from './conntrack.ts'
import { dropReason, fieldsOf } from './describe.ts'
import { parseFlowLine } from './flow.ts'
import { runPipeline, type PipelineInput } from './pipeline.ts'
import { FlowTables } from './tables.ts'

const a = { mac: '02:00:00:00:00:01', ip: '10.0.0.1' }
const b = { mac: '02:00:00:00:00:02', ip: '10.0.0.2' }
const a6 = { mac: a.mac, ip: 'fd00::1' }
const udp = udpDatagram(a, b, { sport: 1000, dport: 53 })

/** Runs a frame that came in by port 1 through flows in short: `TABLE PRIORITY MATCH ACTIONS`. */
function run(flows: string[], frame = udp, input: Partial<PipelineInput> = {}) {
  const lines = flows.map((text) => {
    const [table, priority, match, actions] = text.split(' ')
    return parseFlowLine(`table=${table},priority=${priority},${match === '*' ? '' : `${match},`}actions=${actions}`)
  })
  return runPipeline(new FlowTables(lines), frame, { inPort: 1, conntrack: new StatefulConntrack(), ...input })
}

const ports = (result: ReturnType<typeof run>) => result.outputs.map(({ port }) => port)
const read = (result: ReturnType<typeof run>, index = 0) => parseFrame(result.outputs[index]!.frame)!

describe('outputs', () => {
  it('leave by port, register, LOCAL; to where the packet came from by in_port alone', () => {
    const result = run(['0 1 * set_field:3->reg2,output:2,output:NXM_NX_REG2[0..15],output:1,in_port,LOCAL,output:NONE'])
    expect(ports(result)).toEqual([2, 3, 1, 0xfffe])
    expect(result.steps[0]!.done).toEqual([
      { kind: 'output', port: 2 },
      { kind: 'output', port: 3 },
      { kind: 'output-suppressed', port: 1 },
      { kind: 'output', port: 1 },
      { kind: 'output', port: 0xfffe },
    ])
  })

  it('have the bytes of their moment, and what came in is not changed', () => {
    const before = toHex(udp)
    const result = run(['0 1 ip output:2,set_field:02:00:00:00:00:09->eth_dst,output:3,dec_ttl,output:4'])
    expect(result.outputs.map(({ frame }) => [parseFrame(frame)!.dst, parseFrame(frame)!.ip!.ttl])).toEqual([
      [b.mac, 64],
      ['02:00:00:00:00:09', 64],
      ['02:00:00:00:00:09', 63],
    ])
    expect(toHex(udp)).toBe(before)
    expect(toHex(result.outputs[0]!.frame)).toBe(before)
  })

  it('carry what was set for a tunnel, and name the step that sent them', () => {
    const result = run(['0 1 * set_field:77->tun_id,set_field:192.0.2.2->tun_dst,output:7,resubmit(,1)', '1 1 * output:8'])
    expect(result.outputs).toMatchObject([
      { port: 7, tunnel: { id: 77, src: '0.0.0.0', dst: '192.0.2.2' }, step: 0 },
      { port: 8, tunnel: { id: 77 }, step: 1 },
    ])
  })

  it('may go to the controller', () => {
    const result = run(['0 1 * controller(userdata=01)'])
    expect(result).toMatchObject({ outputs: [], packetIns: [{ reason: 'action', options: 'userdata=01', frame: udp, step: 0 }] })
  })

  it('to reserved ports by a register are not understood', () => {
    expect(() => run(['0 1 * set_field:0xfffa->reg2,output:NXM_NX_REG2[0..15]'])).toThrow(expect.objectContaining({ code: 'not-supported' }))
  })
})

describe('tables', () => {
  it('are gone through with the packet as it is by then, and the caller goes on after', () => {
    const result = run(['0 1 * set_field:5->reg0,resubmit(,1),output:3', '1 2 reg0=5 set_field:02:00:00:00:00:09->eth_dst,output:2', '1 1 * drop'])
    expect(result.steps.map(({ table }) => table)).toEqual([0, 1])
    expect(fieldsOf(result.steps[1]!.before)).toMatchObject({ reg0: '0x5', eth_dst: b.mac, tp_dst: '53' })
    expect(ports(result)).toEqual([2, 3])
    expect(read(result, 1).dst).toBe('02:00:00:00:00:09')
  })

  it('may be entered as if by another port, for the look-up alone', () => {
    expect(ports(run(['0 1 * resubmit(9,1)', '1 2 in_port=9 output:9,output:1,in_port', '1 1 * drop']))).toEqual([9, 1])
  })

  it('without a flow for the packet drop it, and the caller goes on', () => {
    const result = run(['0 1 * resubmit(,1),output:2', '1 1 arp output:3'])
    expect(result.steps).toMatchObject([{ table: 0 }, { table: 1, flow: null }])
    expect(ports(result)).toEqual([2])
    expect(dropReason(result)).toBeNull()
  })

  it('that call each other without end are given up at depth 64, and nothing is sent', () => {
    const result = run(['0 1 * output:2,resubmit(,0)'])
    expect(result.outputs).toEqual([])
    expect(result.steps).toHaveLength(65)
    expect(dropReason(result)).toMatchObject({ kind: 'aborted' })
  })

  it('are looked into 4,096 times at most', () => {
    const eight = (table: number) => Array.from({ length: 8 }, () => `resubmit(,${table})`).join(',')
    const result = run(['0 1 * ' + eight(1), '1 1 * ' + eight(2), '2 1 * ' + eight(3), '3 1 * ' + eight(4), '4 1 * output:2'])
    expect(result.outputs).toEqual([])
    expect(result.steps).toHaveLength(4097)
    expect(result.steps.flatMap(({ done }) => done)).toContainEqual({
      kind: 'aborted',
      reason: 'too-many-resubmits',
    })
  })
})

describe('fields', () => {
  it('that a packet does not have are not set', () => {
    const result = run(['0 1 * set_field:1->arp_op,set_field:80->tcp_dst,move:NXM_OF_ARP_SPA[]->NXM_NX_REG0[],output:2'])
    expect(toHex(result.outputs[0]!.frame)).toBe(toHex(udp))
    expect(result.steps[0]!.done.slice(0, 3)).toEqual(['arp_op', 'tcp_dst', 'reg0'].map((field) => ({ kind: 'not-set', field })))
  })

  it('make an ARP answer of a request', () => {
    const reply =
      'move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:02:00:00:00:00:fe->eth_src,set_field:2->arp_op,move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],' +
      'move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],set_field:02:00:00:00:00:fe->arp_sha,set_field:10.0.0.254->arp_spa,in_port'
    expect(read(run([`0 1 arp,arp_op=1,arp_tpa=10.0.0.254 ${reply}`], arpRequest(a, '10.0.0.254')))).toMatchObject({
      dst: a.mac,
      src: '02:00:00:00:00:fe',
      arp: { op: 2, sha: '02:00:00:00:00:fe', spa: '10.0.0.254', tha: a.mac, tpa: a.ip },
    })
  })

  it('make a neighbour advertisement of a solicitation', () => {
    const result = run(
      [
        '0 1 icmp6,icmp_type=135,icmp_code=0,nd_target=fd00::fe move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:02:00:00:00:00:fe->eth_src,' +
          'move:NXM_NX_IPV6_SRC[]->NXM_NX_IPV6_DST[],set_field:fd00::fe->ipv6_src,set_field:136->icmpv6_type,resubmit(,1)',
        '1 1 icmp6,icmp_type=136,icmp_code=0 set_field:2->nd_options_type,set_field:0x60000000->nd_reserved,set_field:02:00:00:00:00:fe->nd_tll,in_port',
      ],
      neighbourSolicitation(a6, 'fd00::fe'),
    )
    const sent = read(result)
    expect(sent).toMatchObject({ dst: a.mac, ip: { src: 'fd00::fe', dst: 'fd00::1' }, transport: { type: 136, rest: 0x6000_0000 } })
    expect(toHex(sent.payload)).toBe('fd0000000000000000000000000000fe' + '0201' + '0200000000fe')
  })

  it('of VLAN tags are pushed, set and popped', () => {
    const result = run([
      '0 1 * push_vlan:0x8100,set_field:4106->vlan_vid,set_field:3->vlan_pcp,output:2,push_vlan:0x88a8,set_field:4107->vlan_vid,output:3,pop_vlan,pop_vlan,output:4,mod_vlan_vid:12,output:5',
    ])
    const [ten, eleven] = [
      { tpid: 0x8100, vid: 10, pcp: 3, dei: false },
      { tpid: 0x88a8, vid: 11, pcp: 0, dei: false },
    ]
    expect([0, 1, 2, 3].map((index) => read(result, index).vlans)).toEqual([
      [ten],
      [eleven, ten],
      [],
      [{ tpid: 0x8100, vid: 12, pcp: 0, dei: false }],
    ])
  })

  it('may be moved within themselves', () => {
    const result = run(['0 1 * set_field:0x12345678->reg0,move:NXM_NX_REG0[0..23]->NXM_NX_REG0[8..31],resubmit(,1)', '1 1 * drop'])
    expect(fieldsOf(result.steps[1]!.before)['reg0']).toBe('0x34567878')
  })
})

describe('TTL', () => {
  it('that would be used up ends the action list, not the caller', () => {
    const result = run(['0 1 * resubmit(,1),output:3', '1 1 ip dec_ttl,output:2'], icmpEcho(a, b, { id: 1, seq: 1 }, { ttl: 1 }))
    expect(ports(result)).toEqual([3])
    expect(result.packetIns).toMatchObject([{ reason: 'invalid-ttl', step: 1 }])
  })

  it('explains a drop', () => {
    expect(dropReason(run(['0 1 ip dec_ttl,output:2'], icmpEcho(a, b, { id: 1, seq: 1 }, { ttl: 1 })))).toMatchObject({
      kind: 'ttl',
      step: { table: 0 },
    })
  })
})

describe('the size of a packet', () => {
  const flows = ['0 1 * check_pkt_larger(100)->NXM_NX_REG0[3],resubmit(,1)', '1 2 reg0=0x8/0x8 output:2', '1 1 * output:3']
  const sized = (bytes: number) => udpDatagram(a, b, { sport: 1, dport: 2 }, { payload: new Uint8Array(bytes - 42) })

  it('chooses, Ethernet header included, padding not', () => {
    expect(ports(run(flows, sized(100)))).toEqual([3])
    expect(ports(run(flows, sized(101)))).toEqual([2])
    expect(ports(run(flows, Uint8Array.from([...sized(100), 0, 0, 0])))).toEqual([3])
  })

  it('is known to the rest of its own action list only, as is what that changes', () => {
    const result = run(
      [
        '0 1 * resubmit(,1),output:5,resubmit(,2)',
        '1 1 * check_pkt_larger(50)->NXM_NX_REG0[0],set_field:02:00:00:00:00:09->eth_dst,output:4',
        '2 2 reg0=0x1/0x1 output:6',
        '2 1 * output:7',
      ],
      sized(100),
    )
    expect(result.outputs.map(({ port, frame }) => [port, parseFrame(frame)!.dst])).toEqual([
      [4, '02:00:00:00:00:09'],
      [5, b.mac],
      [7, b.mac],
    ])
  })
})

describe('clone', () => {
  it('leaves the packet as it was', () => {
    const result = run([
      '0 1 ip clone(set_field:02:00:00:00:00:09->eth_dst,set_field:1->reg0,dec_ttl,output:2),output:3,resubmit(,1)',
      '1 1 reg0=0 output:4',
    ])
    expect(result.outputs.map(({ port, frame }) => [port, parseFrame(frame)!.dst, parseFrame(frame)!.ip!.ttl])).toEqual([
      [2, '02:00:00:00:00:09', 63],
      [3, b.mac, 64],
      [4, b.mac, 64],
    ])
  })

  it('ends alone where its TTL is used up', () => {
    expect(ports(run(['0 1 ip clone(dec_ttl,output:2),output:3'], icmpEcho(a, b, { id: 1, seq: 1 }, { ttl: 1 })))).toEqual([3])
  })
})

describe('ct', () => {
  const syn = tcpSegment(a, b, { sport: 1000, dport: 22, flags: 2 })

  it('sends a copy on that is tracked, and goes on untracked', () => {
    const result = run(
      [
        '0 1 ip set_field:7->reg0,ct(table=1,zone=5),output:9,resubmit(,2)',
        '1 1 ct_state=+new+trk,reg0=7,ct_zone=5 output:2',
        '2 1 ct_state=0 output:3',
      ],
      syn,
    )
    expect(ports(result)).toEqual([2, 9, 3])
    expect(result.steps.map(({ table }) => table)).toEqual([0, 1, 2])
    expect(result.steps[0]!.done[0]).toEqual({ kind: 'ct', zone: 5, commit: false, state: 0x21, table: 1 })
  })

  it('follows question and answer with one conntrack', () => {
    const conntrack = new StatefulConntrack()
    const flows = [
      '0 1 ip ct(table=1,zone=NXM_NX_REG1[0..15])',
      '1 3 ct_state=+new,in_port=1,tcp ct(commit,zone=NXM_NX_REG1[0..15]),output:2',
      '1 2 ct_state=+est+rpl,ip output:1',
      '1 1 * drop',
    ]
    const answer = tcpSegment(b, a, { sport: 22, dport: 1000, flags: 18, ack: 1 })
    expect(ports(run(flows, answer, { inPort: 2, conntrack }))).toEqual([])
    expect(ports(run(flows, syn, { conntrack }))).toEqual([2])
    const before = conntrack.clone()
    expect(ports(run(flows, answer, { inPort: 2, conntrack }))).toEqual([1])
    expect(ports(run(flows, answer, { inPort: 2, conntrack: before, nowMs: 30_000 }))).toEqual([])
  })

  it('writes marks and labels of the connection', () => {
    const conntrack = new StatefulConntrack()
    run(['0 1 ip ct(commit,zone=5,exec(set_field:0x6/0xe->ct_mark,set_field:0x100000001->ct_label))'], syn, { conntrack })
    const result = run(['0 1 ip ct(table=1,zone=5)', '1 1 ct_mark=6,ct_label=0x100000001 output:2'], syn, { conntrack })
    expect(ports(result)).toEqual([2])
  })

  it('is forgotten by ct_clear', () => {
    expect(ports(run(['0 1 ip ct(table=1,zone=5)', '1 1 * ct_clear,resubmit(,2)', '2 2 ct_state=+trk output:2', '2 1 * output:3']))).toEqual([3])
  })

  it('sends a copy on six times at most', () => {
    const result = run(['0 1 ip output:2,ct(table=0,zone=5)'])
    expect(result.outputs).toHaveLength(7)
    expect(result.steps.flatMap(({ done }) => done)).toContainEqual({ kind: 'recirculated-too-often' })
  })
})

describe('drops', () => {
  it.each([
    ['miss', ['0 1 * resubmit(,3)'], 3],
    ['no-output', ['0 1 * resubmit(,1)', '1 1 * drop'], 1],
    ['own-port', ['0 1 * output:1'], 0],
  ])('%s', (kind, flows, table) => {
    expect(dropReason(run(flows))).toMatchObject({ kind, step: { table } })
  })
})

it('a flow that is not understood matters only to packets that meet it', () => {
  const flows = ['0 2 arp NORMAL', '0 1 * output:2']
  expect(ports(run(flows))).toEqual([2])
  expect(() => run(flows, arpRequest(a, b.ip))).toThrow(expect.objectContaining({ code: 'not-supported' }))
})
