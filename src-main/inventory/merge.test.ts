import { expect, test } from 'vitest'
import { mergeReports, type Report } from './merge.ts'

const nowMs = 1_000_000
const fresh = (host: string) => ({ host, module: 'cluster', connected: true, seenAtMs: nowMs - 100 })
const stale = (host: string, agoMs = 60_000) => ({ host, module: 'cluster', connected: false, seenAtMs: nowMs - agoMs })

const host = (reporter: string, id: string, role = 'voter'): Report => ({ reporter, kind: 'host', id, atMs: 1, doc: { name: id, role } })
const cluster = (reporter: string, quorum: boolean, leader: string, leaderEpoch: number): Report => ({
  reporter,
  kind: 'cluster',
  id: 'cluster',
  atMs: 1,
  doc: { quorum, leader, leaderEpoch },
})
const hostsOf = (merged: Report[]) => merged.filter(({ kind }) => kind === 'host').map(({ id, reporter }) => `${id} by ${reporter}`)
const leaderOf = (merged: Report[]) => merged.find(({ kind }) => kind === 'cluster')?.doc.leader

test('a host that left is not kept alive by an agent that went before it', () => {
  const reports = [cluster('h1', true, 'h1', 1), host('h1', 'h1'), host('h1', 'h3'), cluster('h2', true, 'h2', 2), host('h2', 'h1'), host('h2', 'h2')]
  const merged = mergeReports(reports, [stale('h1'), fresh('h2')], nowMs)
  expect(hostsOf(merged)).toEqual(['h1 by h2', 'h2 by h2'])
  expect(leaderOf(merged)).toBe('h2')
})

test('who reaches a majority counts more than who does not', () => {
  const reports = [cluster('h1', false, 'h1', 9), host('h1', 'h1'), cluster('h2', true, 'h2', 2), host('h2', 'h1'), host('h2', 'h2')]
  const merged = mergeReports(reports, [fresh('h1'), fresh('h2')], nowMs)
  expect(hostsOf(merged)).toEqual(['h1 by h2', 'h2 by h2'])
  expect(leaderOf(merged)).toBe('h2')
})

test('with nobody there the last one heard is believed', () => {
  const reports = [cluster('h1', true, 'h1', 1), host('h1', 'h1'), cluster('h2', true, 'h1', 1), host('h2', 'h2')]
  expect(hostsOf(mergeReports(reports, [stale('h1', 90_000), stale('h2', 60_000)], nowMs))).toEqual(['h2 by h2'])
})

test('of two fresh reporters the later leadership counts, and the order of reports does not make the answer waver', () => {
  const reports = [cluster('h1', true, 'h1', 5), cluster('h2', true, 'h2', 6)]
  expect(leaderOf(mergeReports(reports, [fresh('h1'), fresh('h2')], nowMs))).toBe('h2')
  const equal = [host('h1', 'h1', 'a'), host('h2', 'h1', 'b')]
  const first = mergeReports(equal, [{ ...fresh('h1'), seenAtMs: nowMs - 900 }, fresh('h2')], nowMs)
  const second = mergeReports(equal, [fresh('h1'), { ...fresh('h2'), seenAtMs: nowMs - 900 }], nowMs)
  expect(first).toEqual(second)
})

test('what only one host can tell stays, however old', () => {
  const nic: Report = { reporter: 'h3', kind: 'nic', id: 'h3/mgmt', atMs: 1, doc: {} }
  expect(mergeReports([nic, { ...nic, atMs: 5, doc: { later: true } }], [fresh('h1'), stale('h3')], nowMs)).toMatchObject([
    { id: 'h3/mgmt', doc: { later: true } },
  ])
})

test('of the virtual network only what the reporter of its latest revision says counts, of VIPs and hosts as well', () => {
  const overlay = (reporter: string, revision: number): Report => ({ reporter, kind: 'overlay', id: 'overlay', atMs: 1, doc: { revision } })
  const of = (reporter: string, kind: string, id: string, atMs: number): Report => ({ reporter, kind, id, atMs, doc: { name: id } })
  const kinds = ['vip', 'vipState', 'networkHost', 'port']
  const reports = [
    ...[overlay('h1', 8), overlay('h2', 9)],
    ...kinds.flatMap((kind) => [of('h1', kind, 'gone', 99), of('h1', kind, 'kept', 99), of('h2', kind, 'kept', 1)]),
  ]
  const merged = mergeReports(reports, [fresh('h1'), fresh('h2')], nowMs)
  expect(merged.filter(({ kind }) => kind !== 'overlay').map(({ kind, id, reporter }) => `${kind} ${id} by ${reporter}`)).toEqual(
    kinds.map((kind) => `${kind} kept by h2`),
  )
})
