import { describe, expect, it } from 'vitest'
import { icmpEcho } from '../packet/compose.ts'
import { toHex } from '../packet/bytes.ts'
import { StatefulConntrack } from './conntrack.ts'
import { dropReason } from './describe.ts'
import { parseFlowLine } from './flow.ts'
import { bucketActions, parseGroup } from './group.ts'
import { runPipeline } from './pipeline.ts'
import { FlowTables } from './tables.ts'

describe('a group', () => {
  const buckets = [
    { watchPort: 16, actions: 'set_field:169.254.2.1->tun_dst,output:1' },
    { watchPort: null, actions: 'output:2' },
  ]

  it.each([
    [
      'as it is told to the switch',
      'group_id=5,type=fast_failover,bucket=watch_port=16,actions=set_field:169.254.2.1->tun_dst,output:1,bucket=actions=output:2',
    ],
    [
      'as the switch tells it',
      ' group_id=5,type=ff,bucket=bucket_id:0,watch_port:16,actions=set_field:169.254.2.1->tun_dst,output:1,bucket=bucket_id:1,actions=output:2',
    ],
  ])('is read %s', (_, text) => expect(parseGroup(text)).toEqual({ id: 5, buckets }))

  it.each([
    ['bad-input', 'type=ff,bucket=watch_port=1,actions=output:1'],
    ['bad-input', 'group_id=4294967041,type=ff'],
    ['bad-input', 'group_id=5,type=ff,bucket=watch_port=1,output:1'],
    ['not-supported', 'group_id=5,type=select,bucket=actions=output:1'],
    ['not-supported', 'group_id=5,bucket=actions=output:1'],
    ['not-supported', 'group_id=5,type=ff,selection_method=hash,bucket=actions=output:1'],
    ['not-supported', 'group_id=5,type=ff,bucket=watch_group=7,actions=output:1'],
  ])('is refused with %s: %s', (code, text) => expect(() => parseGroup(text)).toThrow(expect.objectContaining({ code })))

  it('has its buckets’ actions executed as a set: in the order of OpenFlow, and one way out', () => {
    const kinds = (text: string) => bucketActions(text).map(({ kind }) => kind)
    expect(kinds('output:1,ct(table=1,zone=5),set_field:1->reg0,output:2,dec_ttl,push_vlan:0x8100,pop_vlan')).toEqual([
      ...['pop-vlan', 'push-vlan', 'dec-ttl', 'set-field', 'output'],
    ])
    expect(bucketActions('output:1,output:2')).toEqual([{ kind: 'output', port: 2 }])
    expect(kinds('output:1,group:7')).toEqual(['group'])
    expect(kinds('set_field:1->reg0')).toEqual([])
    expect(() => kinds('clone(output:1)')).toThrow(expect.objectContaining({ code: 'not-supported' }))
  })
})

describe('a flow that names a group', () => {
  const frame = icmpEcho({ mac: '02:00:00:00:00:01', ip: '10.0.0.1' }, { mac: '02:00:00:00:00:02', ip: '10.0.0.2' }, { id: 1, seq: 1 })
  const groups = ['group_id=5,type=ff,bucket=watch_port=16,actions=set_field:192.0.2.1->tun_dst,output:1,bucket=watch_port=17,actions=output:2']
  const run = (actions: string, down: number[] = [], texts = groups) =>
    runPipeline(new FlowTables([parseFlowLine(`actions=${actions}`)], texts.map(parseGroup)), frame, {
      ...{ inPort: 9, conntrack: new StatefulConntrack(), portsDown: new Set(down) },
    })

  it.each([
    ['the first that lives', [], 1],
    ['the next where that port is down', [16], 2],
    ['and not asks ports that none of its buckets watches', [18], 1],
  ])('takes of its buckets %s', (_, down, port) => expect(run('group:5', down).outputs.map((output) => output.port)).toEqual([port]))

  it('drops where none lives, and says so', () => {
    const result = run('group:5', [16, 17])
    expect(result.outputs).toEqual([])
    expect(result.steps[0]!.done).toEqual([{ kind: 'group', group: 5, bucket: null, down: [16, 17] }])
    expect(dropReason(result)?.kind).toBe('no-live-bucket')
  })

  it('says which bucket it took, and which ports were down', () =>
    expect(run('group:5', [16]).steps[0]!.done).toContainEqual({ kind: 'group', group: 5, bucket: 1, down: [16] }))

  it('goes on with the packet as it was before', () => {
    const { outputs } = run('set_field:192.0.2.9->tun_dst,group:5,output:3')
    expect(outputs.map(({ port, tunnel, frame: bytes }) => [port, tunnel.dst, toHex(bytes) === toHex(frame)])).toEqual([
      [1, '192.0.2.1', true],
      [3, '192.0.2.9', true],
    ])
  })

  it('does nothing after a group that there is not', () => {
    const result = run('group:6,output:3')
    expect(result.outputs).toEqual([])
    expect(dropReason(result)?.kind).toBe('no-group')
  })
})
