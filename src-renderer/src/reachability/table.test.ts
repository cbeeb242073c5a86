import { describe, expect, test } from 'vitest'
import type { ReachabilityDoc } from '../../../core/contract/desktop/network.ts'
import { parseDeclaration } from '../../../core/net/declaration/parse.ts'
import { planNetwork } from '../../../core/net/declaration/plan.ts'
import { emptyVirtualNetwork } from '../../../core/model/network.ts'
import { exampleDeclaration } from '../declaration/example.ts'
import { en } from '../i18n/en.ts'
import { viewOf } from '../network/view.ts'
import { differenceText } from './difference.ts'
import { parseProbe, probeName, probesOf, probeText } from './probe.ts'
import { questionsOf } from './questions.ts'
import { cellOf, narrowed, pairOf, reachCounts, reachTable } from './table.ts'
import { membersText, reasonText } from './words.ts'

const free = { reason: null, object: null }
const closed = { reason: 'acl' as const, object: 'acl/no-ssh' }
/** Two alike in `web`, one in `db`, which takes nothing from `web`. */
const doc: ReachabilityDoc = {
  ports: [
    { name: 'web-10', classNumber: 1 },
    { name: 'db-1', classNumber: 0 },
    { name: 'web-2', classNumber: 1 },
  ],
  reaches: [free, closed],
  cells: [
    [0, 0],
    [1, 0],
  ],
  plan: {
    lost: 1,
    gained: 2,
    pairs: [
      { from: 'web-2', to: 'db-1', before: closed, after: free },
      { from: 'web-10', to: 'db-1', before: closed, after: free },
      { from: 'db-1', to: 'web-2', before: free, after: { reason: 'no-route', object: 'router/shop' } },
    ],
  },
}
const table = reachTable(doc, (port) => port.split('-')[0]!)

describe('the matrix', () => {
  test('has a row and a column for each kind of port, by network, names in natural order', () => {
    expect(table.classes.map(({ network, members }) => [network, members])).toEqual([
      ['db', ['db-1']],
      ['web', ['web-2', 'web-10']],
    ])
    expect(cellOf(table, 'web-10', 'db-1')).toMatchObject({ pairs: 2, reach: closed })
    expect(cellOf(table, 'web-10', 'gone')).toBeUndefined()
  })

  test('a port and itself is no pair', () => {
    expect(cellOf(table, 'db-1', 'db-1')).toMatchObject({ pairs: 0 })
    expect(cellOf(table, 'web-2', 'web-10')).toMatchObject({ pairs: 2 })
    expect(reachCounts(table)).toEqual({ all: 6, reached: 4, stopped: [{ reach: closed, pairs: 2 }] })
  })

  test('says in which cells a plan changes pairs', () => {
    expect(cellOf(table, 'web-2', 'db-1')).toMatchObject({ lost: 0, gained: 2 })
    expect(cellOf(table, 'db-1', 'web-2')).toMatchObject({ lost: 1, gained: 0 })
  })

  test('a cell stands for two different ports where there are two', () => {
    expect(pairOf(cellOf(table, 'web-10', 'web-2')!)).toEqual(['web-2', 'web-10'])
    expect(pairOf(cellOf(table, 'db-1', 'db-1')!)).toEqual(['db-1', 'db-1'])
  })

  test('is narrowed to what contains one of the words', () => {
    expect(narrowed(table, ['b-10']).classes.map(({ network }) => network)).toEqual(['web'])
    expect(narrowed(table, ['b-10', 'db']).cells.flat()).toHaveLength(4)
    expect(narrowed(table, [])).toEqual(table)
  })
})

test('what is asked comes back from an address', () => {
  for (const text of ['icmp', 'tcp/22', 'udp/53']) expect(probeText(parseProbe(text))).toBe(text)
  expect(parseProbe('tcp')).toEqual({ proto: 'tcp', dport: 443 })
  expect(parseProbe('tcp/99999')).toEqual({ proto: 'tcp', dport: 443 })
  expect(parseProbe('sctp/1')).toEqual({ proto: 'icmp', dport: null })
  expect(probeName(parseProbe('tcp/22'))).toBe('TCP\u00a022')
})

test('rules are asked about what they tell apart', () => {
  const probes = probesOf([{ proto: 'tcp', dport: [22, 23] }, undefined, { proto: 'tcp', dport: 22 }, { proto: 'icmp' }, {}, { proto: 47 }])
  expect(probes.map(probeText)).toEqual(['tcp/22', 'tcp/23', 'icmp'])
})

describe('what is asked of a plan', () => {
  const { next } = planNetwork(emptyVirtualNetwork, parseDeclaration(exampleDeclaration(['h1', 'h2'])), { hosts: ['h1', 'h2'], prune: false })
  const view = viewOf({ revision: 1, ...next })
  const change = (kind: string, name: string) => ({ change: 'change' as const, kind, name, fields: [] })

  test('a changed rule: the packets of both its matches, in its VPC', () => {
    const item = { name: 'no-ssh', network: 'db', match: { proto: 'udp', dport: 53 } }
    const asked = questionsOf([change('acl', 'no-ssh')], view, (_, name) => (name === 'no-ssh' ? item : null))
    expect(asked.map(({ vpc, probe }) => `${vpc} ${probeText(probe)}`)).toEqual(['shop tcp/22', 'shop udp/53'])
  })

  test('anything else: whether a ping passes', () => {
    const asked = questionsOf([change('port', 'web-1'), change('router', 'shop'), change('network', 'db')], view, () => null)
    expect(asked.map(({ vpc, probe }) => `${vpc} ${probeText(probe)}`)).toEqual(['shop icmp'])
  })

  test('a VPC that has no ports yet: nothing', () => {
    expect(questionsOf([change('network', 'lab')], view, () => ({ name: 'lab', vpc: 'new' }))).toEqual([])
  })
})

test('words', () => {
  expect(reasonText(closed, en)).toBe('ACL no-ssh')
  expect(reasonText({ reason: 'host-down', object: 'host/h3' }, en)).toBe('host down')
  expect(membersText({ members: ['a', 'b', 'c'] }, en)).toBe('a +2')
  expect(differenceText({ lost: 3, gained: 1 }, 'TCP 5432', en)).toBe('3 pairs lose TCP 5432, 1 pair gains TCP 5432')
})
