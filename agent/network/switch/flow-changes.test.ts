import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseFlowLine, type Flow } from '../../../core/net/openflow/flow.ts'
import { bundleText, driftCount, flowChanges, flowKey, parseFlowDiff, parseFlowDump } from './flow-changes.ts'

/** Few keys and few actions, so that flows meet. */
const flowArbitrary: fc.Arbitrary<Flow> = fc.record({
  table: fc.integer({ min: 0, max: 1 }),
  priority: fc.integer({ min: 0, max: 1 }),
  cookie: fc.constantFrom('0x1', '0x2'),
  match: fc.constantFrom('', 'in_port=1', 'ip,nw_dst=10.0.0.0/8', 'tun_id=0x64,in_port=1'),
  actions: fc.constantFrom('drop', 'output:1', 'set_field:0x1->reg0,resubmit(,2)'),
})
const flowsArbitrary = fc.uniqueArray(flowArbitrary, { selector: flowKey, maxLength: 12 })
const sorted = (flows: readonly Flow[]) => [...flows].map((flow) => JSON.stringify(Object.entries(flow).sort())).sort()

/** What a switch does with a bundle, line by line. */
function applyBundle(flows: readonly Flow[], text: string): Flow[] {
  const switched = new Map(flows.map((flow) => [flowKey(flow), flow]))
  for (const line of text.split('\n').filter(Boolean)) {
    const [, command, rest] = /^(\w+) (.*)$/.exec(line)!
    if (command === 'add') {
      const flow = parseFlowLine(rest!)
      switched.set(flowKey(flow), flow)
    } else switched.delete(flowKey(parseFlowLine(`${rest},actions=drop`)))
  }
  return [...switched.values()]
}

describe('changes of flows', () => {
  test('make one set the other, and touch nothing that stays', () => {
    fc.assert(
      fc.property(flowsArbitrary, flowsArbitrary, (from, to) => {
        const changes = flowChanges(from, to)
        expect(sorted(applyBundle(from, bundleText(changes)))).toEqual(sorted(to))
        const stay = sorted(from).filter((flow) => sorted(to).includes(flow))
        expect(changes.added.length).toBe(to.length - stay.length)
        expect(sorted([...changes.added, ...changes.removed]).filter((flow) => stay.includes(flow))).toEqual([])
      }),
    )
  })

  test('of nothing are nothing', () => {
    const flows = [parseFlowLine('table=1,priority=2,cookie=0x3,ip,actions=drop')]
    expect(bundleText(flowChanges(flows, flows))).toBe('')
  })
})

test('a diff of ovs-ofctl is read as missing, altered and extra', () => {
  const drift = parseFlowDiff(`-table=3 priority=5,icmp6,ipv6_dst=fd00::/64,icmp_type=135 cookie=0x9 actions=drop
+table=3 priority=5,icmp6,ipv6_dst=fd00::/64,icmp_type=135 cookie=0x9 actions=ct(commit,zone=NXM_NX_REG1[0..15],exec(set_field:0x1->ct_mark)),resubmit(,4)
+table=4 priority=0 cookie=0x10 actions=drop
-table=9 priority=7,ip cookie=0x3 actions=resubmit(,9)
`)
  expect(driftCount(drift)).toBe(3)
  expect(drift.missing).toEqual([{ table: 4, priority: 0, cookie: '0x10', match: '', actions: 'drop' }])
  expect(drift.extra).toEqual([{ table: 9, priority: 7, cookie: '0x3', match: 'ip', actions: 'resubmit(,9)' }])
  expect(drift.altered.map(({ is, wanted }) => [is.actions, wanted.actions])).toEqual([
    ['drop', 'ct(commit,zone=NXM_NX_REG1[0..15],exec(set_field:0x1->ct_mark)),resubmit(,4)'],
  ])
  expect(driftCount(parseFlowDiff(''))).toBe(0)
})

test('a dump is read with what each flow has matched', () => {
  const dump = ` cookie=0x7, duration=0.033s, table=0, n_packets=1145300, n_bytes=1609462873, idle_age=320, in_port=300 actions=set_field:0x64->tun_id,output:1
 cookie=0x10, duration=0.033s, table=4, n_packets=0, n_bytes=0, priority=0 actions=drop
`
  expect(parseFlowDump(`OFPST_FLOW reply (OF1.5) (xid=0x2):\n${dump}`)).toEqual([
    {
      table: 0,
      priority: 0x8000,
      cookie: '0x7',
      match: 'in_port=300',
      actions: 'set_field:0x64->tun_id,output:1',
      packets: 1145300,
      bytes: 1609462873,
    },
    { table: 4, priority: 0, cookie: '0x10', match: '', actions: 'drop', packets: 0, bytes: 0 },
  ])
})
