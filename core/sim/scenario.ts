import { type Plane, planeSchema } from '../model/common.ts'
import { SimCluster } from './cluster.ts'
import { fairWeather } from './network.ts'

/** What a scenario can do, one command a line: `SECONDS COMMAND ARGUMENTS…`. `leader` stands for whoever holds the address then, `old-leader` for whom it stood last. */
const commands: Record<string, (cluster: SimCluster, ...args: string[]) => void> = {
  'power-off': (cluster, host) => cluster.powerOff(host!),
  'power-on': (cluster, host) => cluster.powerOn(host!),
  'pause': (cluster, host) => cluster.pause(host!),
  'resume': (cluster, host) => cluster.resume(host!),
  'hang-agent': (cluster, host) => cluster.host(host!).freezeAgent(),
  'kill-agent': (cluster, host) => cluster.host(host!).killAgent(),
  'start-agent': (cluster, host) => cluster.host(host!).startAgent(),
  'kill-store': (cluster, host) => cluster.store.kill(host!),
  'start-store': (cluster, host) => cluster.store.restart(host!),
  'link-down': (cluster, host, plane) => cluster.network.setLink(host!, planeOf(plane), false),
  'link-up': (cluster, host, plane) => cluster.network.setLink(host!, planeOf(plane), true),
  /** `partition mgmt h1 h2,h3`: one group an argument; without groups the plane is whole again. */
  'partition': (cluster, plane, ...groups) =>
    cluster.network.partition(
      planeOf(plane),
      groups.map((group) => group.split(',')),
    ),
  'clock': (cluster, host, seconds) => {
    cluster.host(host!).wallOffsetMs += Number(seconds) * 1000
  },
  'replay': (cluster, host) => cluster.replay(host!),
  'duplicate': (cluster, share) => {
    cluster.network.weather = { ...fairWeather, duplicateShare: Number(share) }
  },
  'move-raft-leader': (cluster, host) => cluster.store.moveRaftLeader(host!),
  'move-leader': (cluster, host) => cluster.host(cluster.leader).resign(host!),
  /** Prints who holds the address and what was refused of each peer's heartbeats. */
  'show': (cluster) => {
    const refused = [...cluster.hosts.values()].flatMap((host) =>
      [...cluster.hosts.keys()].filter((peer) => peer !== host.name).map((peer) => ({ host: host.name, peer, ...host.refused(peer) })),
    )
    const holder = [...cluster.hosts.values()].find((host) => host.holdsAddress)?.name ?? 'nobody'
    const counts = refused.filter(({ replayed, forged }) => replayed + forged > 0)
    cluster.note(
      `show: ${holder} holds the address${counts.map(({ host, peer, replayed, forged }) => `; ${host} refused of ${peer}: ${replayed} replayed, ${forged} forged`).join('')}`,
    )
  },
}

/** Runs a scenario's commands and answers its log. Throws on a line that it does not understand. */
export function runScenario(text: string): { log: string; violations: string[] } {
  const lines = text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter(Boolean)
  const [, hosts, seed] = /^hosts (\d+) seed (\d+)$/.exec(lines[0] ?? '') ?? []
  if (!hosts || !seed) throw new Error('a scenario begins with: hosts N seed N')
  const log: string[] = []
  const cluster = new SimCluster({ hosts: Number(hosts), seed: Number(seed), heartbeats: true, log: (line) => log.push(line) })
  let oldLeader = ''
  for (const line of lines.slice(1)) {
    const [seconds, name = '', ...args] = line.split(/\s+/)
    cluster.runFor(Number(seconds) * 1000 - cluster.world.nowMs)
    if (name === 'end') break
    const command = commands[name]
    if (!command) throw new Error(`no such command: ${line}`)
    if (args.includes('leader')) oldLeader = cluster.leader
    const resolved = args.map((arg) => (arg === 'leader' || arg === 'old-leader' ? oldLeader : arg))
    cluster.note(`> ${[name, ...resolved].join(' ')}`)
    command(cluster, ...resolved)
  }
  return { log: `${log.join('\n')}\n`, violations: cluster.checker.violations }
}

const planeOf = (text: string | undefined): Plane => planeSchema.parse(text)
