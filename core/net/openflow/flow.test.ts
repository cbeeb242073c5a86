import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { flowLine, parseFlowLine, type Flow } from './flow.ts'

const flows: fc.Arbitrary<Flow> = fc.record({
  table: fc.integer({ min: 0, max: 254 }),
  priority: fc.integer({ min: 0, max: 0xffff }),
  cookie: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map((value) => `0x${value.toString(16)}`),
  match: fc
    .subarray(['ip', 'in_port=3', 'dl_dst=01:00:00:00:00:00/01:00:00:00:00:00', 'ct_state=+new+trk', 'reg8=0x1/0x1'])
    .map((parts) => parts.join(',')),
  actions: fc.constantFrom(
    'drop',
    'output:NXM_NX_REG2[0..15]',
    'ct(commit,zone=5,exec(set_field:1->ct_mark)),resubmit(,3)',
    'set_field:2->arp_op,in_port',
  ),
})

describe('flow lines', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(flows, (flow) => {
        expect(parseFlowLine(flowLine(flow))).toEqual(flow)
      }),
    )
  })

  it.each<[string, Partial<Flow>]>([
    [' ip actions=drop', { match: 'ip', actions: 'drop' }],
    [' priority=0 actions=output:1', { priority: 0, actions: 'output:1' }],
    [
      ' cookie=0x2a, table=7, in_port=3,vlan_tci=0x0000 actions=resubmit(,8)',
      { cookie: '0x2a', table: 7, match: 'in_port=3,vlan_tci=0x0000', actions: 'resubmit(,8)' },
    ],
    [
      ' cookie=0x0, duration=3.4s, table=1, n_packets=2, n_bytes=84, idle_timeout=60, idle_age=1, hard_age=2, priority=5,arp,arp_op=1 actions=LOCAL',
      { table: 1, priority: 5, match: 'arp,arp_op=1', actions: 'LOCAL' },
    ],
    ['table=3,actions=output:1, output:2', { table: 3, actions: 'output:1,output:2' }],
    ['cookie=0x000F,actions=drop', { cookie: '0xf', actions: 'drop' }],
    ['actions=drop', { actions: 'drop' }],
  ])('of dump-flows are read: %s', (line, flow) => {
    expect(parseFlowLine(line)).toEqual({ table: 0, priority: 32_768, cookie: '0x0', match: '', ...flow })
  })

  it.each([
    '',
    'table=1,ip',
    'table=255,actions=drop',
    'priority=65536,actions=drop',
    'priority=high,actions=drop',
    'cookie=0x10000000000000000,actions=drop',
  ])('that are none are refused: %s', (line) => {
    expect(() => parseFlowLine(line)).toThrow(expect.objectContaining({ code: 'bad-input', data: { line } }))
  })
})
