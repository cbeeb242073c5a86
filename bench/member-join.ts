import { join } from 'node:path'
import { ensureBaseLayer } from '../lab/base.ts'
import { broadcastModes, type BroadcastMode } from '../core/model/network.ts'
import { maxSourceMembers } from '../core/net/broadcast/source-limit.ts'
import { encodeMembers } from '../agent/network/broadcast/members.ts'
import { host, member } from '../agent/network/broadcast/fixtures/node.ts'
import { buildBroadcastObject } from '../scripts/broadcast-object.ts'
import type { Bench, BenchRow } from './bench.ts'
import { compiledHosts, joining, type Joining } from './joining.ts'
import { inNamespaces } from './line-process.ts'
import type { JoinRequest, JoinTimes } from './member-join-node.ts'
import { median } from './statistics.ts'

const memberCounts = [10, 100, 1000]
/** Of the broadcast cluster: each has the members of every network. */
const nodes = 2
/** What a map of maps is given beside its inner map's elements: the VNI, and the inner map's number. */
const outerBytes = 8

const bench: Bench = {
  name: 'member-join',
  title: 'One member host joins a network of 10, 100 and 1,000: what has to be changed for broadcast, and how long that takes',
  kind: 'lab',
  async run({ quick, log }) {
    const program = join(import.meta.dirname, 'member-join-node.ts')
    await using node = await inNamespaces(program, buildBroadcastObject(log), join(await ensureBaseLayer(log), 'usr'))
    const rows: BenchRow[] = []
    for (const members of memberCounts) {
      const cases = broadcastModes.map((mode) => ({ mode, joined: joining(mode, members), times: [] as JoinTimes[] }))
      log(`${members} hosts: compiled`)
      for (let round = 0; round < (quick ? 3 : 15); round++) {
        for (const { joined, times } of cases) {
          const request: JoinRequest = { members, bundle: joined.bundle }
          times.push(await node.ask<JoinTimes>(JSON.stringify(request)))
        }
      }
      for (const { mode, joined, times } of cases) rows.push(...rowsOf(mode, members, joined, times))
    }
    return rows
  },
}
export default bench

function rowsOf(mode: BroadcastMode, members: number, { broadcast, unicast, own }: Joining, times: readonly JoinTimes[]): BenchRow[] {
  const row = (figure: string, value: number, unit: string, more: Partial<BenchRow> = {}): BenchRow => ({
    figure: `${members} hosts, ${mode}: ${figure}`,
    value,
    unit,
    ...more,
  })
  const beside = row('flows changed for unicast to the new port', unicast.flows, 'flows', {
    note: `on ${unicast.hosts} hosts, ${unicast.bytes} bytes, alike in every mode; the new host’s own ${own} flows not counted`,
  })
  if (mode === 'source') {
    const refused = members >= maxSourceMembers ? `; refused when it is declared: ${maxSourceMembers} hosts at most` : ''
    return [
      row('hosts whose broadcast flows change', broadcast.hosts, 'hosts', {
        note: `simulated hosts, ${Math.min(members, compiledHosts)} of them compiled${refused}`,
      }),
      row('broadcast flows changed', broadcast.flows, 'flows'),
      row('bytes sent for broadcast', broadcast.bytes, 'bytes', { note: 'of OpenFlow flows as text, over all hosts' }),
      row('broadcast converges', median(times.map(({ flowMs }) => flowMs!)), 'ms', {
        note: 'one host’s flows into one real Open vSwitch; other hosts do so at the same time by themselves',
      }),
      beside,
    ]
  }
  const elements = encodeMembers(
    100,
    Array.from({ length: members + 1 }, (_, index) => member(host(index + 1))),
    null,
  )
  const listBytes = elements.reduce((sum, element) => sum + element.length, 0)
  const none = { goal: { max: 0 } }
  return [
    row('hosts whose broadcast flows change', broadcast.hosts, 'hosts', none),
    row('broadcast flows changed', broadcast.flows, 'flows', none),
    row('bytes sent for broadcast', nodes * (listBytes + outerBytes), 'bytes', { note: `of maps, over ${nodes} nodes` }),
    row('broadcast converges', median(times.map(({ mapMs }) => mapMs)), 'ms', {
      note: 'a real list into one node’s maps; the other does so at the same time',
    }),
    beside,
  ]
}
