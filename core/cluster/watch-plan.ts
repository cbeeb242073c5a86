import { planes, type Plane } from '../model/common.ts'
import type { PathName } from './watcher.ts'

/** Up to this many hosts everybody watches everybody. */
export const fullMeshHosts = 8
/** Above that, each host is watched by this many peers on each plane. */
export const watchersPerHost = 5

/** What the plan needs of a host: on which planes it has an address. */
export interface PlanHost {
  name: string
  planes: readonly Plane[]
}

/**
 * Who watches `target` on a plane. Above 8 hosts by rendezvous hashing (Thaler, Ravishankar 1998): every host computes the same
 * without asking, and a host that comes or goes changes one watcher of few targets.
 */
export function watchersOf(target: string, plane: Plane, hosts: readonly PlanHost[]): string[] {
  const candidates = hosts.filter((host) => host.name !== target && host.planes.includes(plane)).map((host) => host.name)
  if (hosts.length <= fullMeshHosts) return candidates
  return candidates
    .map((watcher) => ({ watcher, weight: hash(`${watcher}\n${target}\n${plane}`) }))
    .sort((a, b) => b.weight - a.weight || (a.watcher < b.watcher ? -1 : 1))
    .slice(0, watchersPerHost)
    .map(({ watcher }) => watcher)
}

/** Whom `self` watches, and whom it sends heartbeats to (its own watchers), on each plane. */
export function watchPlan(self: string, hosts: readonly PlanHost[]): { watch: PathName[]; send: PathName[] } {
  const watch: PathName[] = []
  const send: PathName[] = []
  const me = hosts.find((host) => host.name === self)
  for (const plane of planes) {
    if (!me?.planes.includes(plane)) continue
    for (const host of hosts) {
      if (host.name !== self && host.planes.includes(plane) && watchersOf(host.name, plane, hosts).includes(self))
        watch.push({ peer: host.name, plane })
    }
    for (const watcher of watchersOf(self, plane, hosts)) send.push({ peer: watcher, plane })
  }
  return { watch, send }
}

/** FNV-1a, then the finaliser of MurmurHash3 so that names which differ in one letter are far apart. 32 bits. */
function hash(text: string): number {
  let h = 0x811c9dc5
  for (let index = 0; index < text.length; index++) h = Math.imul(h ^ text.charCodeAt(index), 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
