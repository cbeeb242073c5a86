/**
 * Run in namespaces of its own: a broadcast node, and a host's Open vSwitch. Arguments: the path of the replicator's object, the directory of
 * Open vSwitch's programs' `usr`. For each `JoinRequest` on stdin, a line of JSON each, it prints a `JoinTimes`.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { host, makeNode, member, openReplicator, self } from '../agent/network/broadcast/fixtures/node.ts'
import { startOvs } from '../agent/network/broadcast/fixtures/ovs.ts'

/** One more member after so many, and what ovs-ofctl is given for that on a host; empty: nothing. */
export interface JoinRequest {
  members: number
  bundle: string
}

export interface JoinTimes {
  /** Until the node's maps have the list with the new member. */
  mapMs: number
  /** Until the host's switch has the flows; null where none changes. */
  flowMs: number | null
}

const vni = 100
makeNode()
const replicator = openReplicator()
const { ofctl } = startOvs(process.argv[3]!, 'node', self)
const path = join(tmpdir(), `member-join-${process.pid}`)
process.on('exit', () => {
  rmSync(path, { force: true })
  replicator.close({ keep: false })
})
const members = Array.from({ length: 4096 }, (_, index) => member(host(index + 1)))

function timedMs(work: () => void): number {
  const startMs = performance.now()
  work()
  return performance.now() - startMs
}

function joined(request: JoinRequest): JoinTimes {
  const setMembers = (count: number): void => replicator.setMembers(new Map([[vni, members.slice(0, count)]]))
  setMembers(request.members)
  const mapMs = timedMs(() => setMembers(request.members + 1))
  if (request.bundle === '') return { mapMs, flowMs: null }
  ofctl('del-flows', 'br-int')
  writeFileSync(path, request.bundle)
  return { mapMs, flowMs: timedMs(() => ofctl('add-flows', 'br-int', path, '--bundle', '-OOpenFlow15')) }
}

console.log('ready')
for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(joined(JSON.parse(line) as JoinRequest)))
process.exit()
