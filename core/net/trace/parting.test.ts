import { describe, expect, it } from 'vitest'
import { traceRequestSchema, type TraceRequest } from '../../model/trace.ts'
import { compileHost } from '../compile/compile.ts'
import type { Flow } from '../openflow/flow.ts'
import { FlowTables } from '../openflow/tables.ts'
import { toHex } from '../packet/bytes.ts'
import { agree, blameParting, partingOf } from './parting.ts'
import { prepareTrace, traceSimulated } from './simulate.ts'
import { shop, testWorld } from './test-world.ts'

const world = testWorld(shop)
const request = (asked: Partial<TraceRequest> = {}) => traceRequestSchema.parse({ from: 'web-1', to: 'db-1', ...asked })
const ownerOf = (cookie: string) => {
  const owner = world.owners.find(cookie)?.owner
  return owner && (owner.kind === 'pipeline' ? null : `${owner.kind}/${owner.name}`)
}

/** What a trace says when a host's flows are others than they should be, beside what it should say. */
function traced(host: string, change: (flows: Flow[]) => Flow[], asked: Partial<TraceRequest> = {}) {
  const real = { ...world, tablesOf: (of: string) => (of === host ? new FlowTables(change(compileHost(world.index, host))) : world.tablesOf(of)) }
  const simulated = traceSimulated(world, request(asked))
  const { path, frame } = prepareTrace(real, request(asked), { id: 7, seq: 9 }, new Uint8Array(16).fill(3))
  const expected = frame ? traceSimulated(world, { ...request(asked), frame: toHex(frame) }) : simulated
  const parting = agree(simulated, path) ? null : partingOf(expected, path, ownerOf)
  return { parting, blamed: blameParting(path, parting), verdict: path.verdict }
}
const without = (table: number, owner: string) => (flows: Flow[]) => flows.filter((flow) => !(flow.table === table && ownerOf(flow.cookie) === owner))

describe('where what is to be and what is part', () => {
  it('is nowhere when the flows are as they should be, whatever becomes of the packet', () => {
    for (const asked of [{}, { proto: 'tcp', dport: 22 }, { ttl: 1 }, { to: '10.20.1.99' }] as const)
      expect(traced('h1', (flows) => flows, asked).parting).toBeNull()
  })

  it('is at the host whose flows of an ACL are missing, which is named though the packet gets through', () => {
    const { parting, verdict } = traced('h2', without(11, 'acl/no-ssh'), { proto: 'tcp', dport: 22 })
    expect(verdict).toBe('delivered')
    expect(parting).toMatchObject({ host: 'h2', device: 'br-int', reason: 'flow-missing', object: 'acl/no-ssh' })
  })

  it('is at the host that lost the flow to a port', () => {
    expect(traced('h1', without(9, 'port/db-1')).blamed.drop).toMatchObject({ host: 'h1', reason: 'flow-missing', object: 'port/db-1' })
  })

  it('is at the host that altered a flow, and not where the packet came to grief by it', () => {
    const wrongKey = (flows: Flow[]) =>
      flows.map((flow) =>
        flow.table === 9 && ownerOf(flow.cookie) === 'port/db-1'
          ? { ...flow, actions: flow.actions.replace(/set_field:\w+->tun_id/, 'set_field:0x999->tun_id') }
          : flow,
      )
    const { drop } = traced('h1', wrongKey).blamed
    expect(drop).toMatchObject({ host: 'h1', device: 'br-int', reason: 'flow-altered', object: 'port/db-1' })
    expect(drop?.hint).toContain('wrong-vni at br-int of h2')
  })

  it('is where a flow that nobody declared takes the packet', () => {
    const foreign = { table: 9, priority: 40_000, cookie: '0x0', match: 'ip,nw_dst=10.20.2.11', actions: 'drop' }
    expect(traced('h1', (flows) => [...flows, foreign]).blamed.drop).toMatchObject({ host: 'h1', reason: 'flow-altered', object: 'port/db-1' })
  })

  it('is told of the question for a MAC, when that is what fails', () => {
    const { blamed } = traced('h1', without(4, 'router/shop'))
    expect(blamed.drop).toMatchObject({ host: 'h1', device: 'br-int', reason: 'flow-missing', object: 'router/shop' })
  })

  it('takes flows for the same however the switch writes them', () => {
    const rewritten = (flows: Flow[]) => flows.map((flow) => ({ ...flow, match: flow.match.split(',').reverse().join(',') }))
    expect(traced('h2', (flows) => without(11, 'acl/no-ssh')(rewritten(flows)), { proto: 'tcp', dport: 22 }).parting).toMatchObject({
      host: 'h2',
      object: 'acl/no-ssh',
    })
  })
})
