/**
 * Simulated hosts that only send heartbeats, for a real cluster's hosts to watch. Runs inside a lab host that has their addresses:
 * reads `SimulatorInput` from stdin, prints `sending`, and goes on until it is killed.
 */
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { createSealerFor } from '../agent/cluster/sealer.ts'
import type { HostDoc } from '../agent/cluster/documents.ts'
import { heartbeatPeriodMs, HeartbeatSender } from '../core/cluster/heartbeat.ts'
import { watchPlan } from '../core/cluster/watch-plan.ts'
import { planes } from '../core/model/common.ts'

export interface SimulatorInput {
  hosts: HostDoc[]
  /** Names of those that are simulated. */
  simulated: string[]
}

const { hosts, simulated } = JSON.parse(await text(process.stdin)) as SimulatorInput
const sealerFor = createSealerFor(Buffer.from(readFileSync('/etc/holdfast/pki/heartbeat.key', 'utf8').trim(), 'base64'))
const planned = hosts.map((host) => ({ name: host.name, planes: planes.filter((plane) => host.addresses[plane] !== undefined) }))
const byName = new Map(hosts.map((host) => [host.name, host]))

for (const name of simulated) {
  const { incarnation, addresses, heartbeatPort } = byName.get(name)!
  const sender = new HeartbeatSender({ host: name, incarnation, sealerFor, state: { boot: 1, sequences: { mgmt: 0, storage: 0, tenant: 0 } } })
  const targets = watchPlan(name, planned).send.filter(({ peer }) => !simulated.includes(peer))
  for (const plane of planes) {
    const receivers = targets.filter((target) => target.plane === plane).map(({ peer }) => byName.get(peer)!)
    // What comes in for a simulated host is read and thrown away.
    const socket = createSocket('udp4').on('message', () => undefined)
    socket.bind(heartbeatPort, addresses[plane], () => {
      setInterval(() => {
        const bytes = sender.next(plane, Date.now(), 0)
        for (const { addresses: to, heartbeatPort: port } of receivers) socket.send(bytes, port, to[plane])
      }, heartbeatPeriodMs)
    })
  }
}
console.log('sending')
