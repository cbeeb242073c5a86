import type { BroadcastNodeDoc, VipDoc } from '../../core/contract/desktop/broadcast.ts'
import type { Status } from '../../core/contract/desktop/inventory.ts'
import { planes, type Disk, type Member, type Module, type Nic, type Plane, type Task } from '../../core/model/index.ts'
import { planeState } from '../../core/status/status.ts'
import { isContested } from '../../core/status/vips.ts'
import type { Messages } from './i18n/i18n.svelte.ts'
import type { Ref } from './state/place.ts'
import { taskTitle } from './tasks/words.ts'

/** Something that needs attention, worst first. */
export interface Concern {
  severity: 'error' | 'warning' | 'unknown'
  text: string
  about: Ref | undefined
}

export interface ConcernInput {
  status: Status
  disks: Disk[]
  /** How far each host's clock is off, in ms. */
  clocks: ReadonlyMap<string, number>
  members: Member[]
  modules: Module[]
  nics: Nic[]
  tasks: Task[]
  vips: VipDoc[]
  /** Of the broadcast cluster. */
  nodes: BroadcastNodeDoc[]
}

const order: Concern['severity'][] = ['error', 'unknown', 'warning']

/** A host's clock further off than this, in ms, makes certificates and records doubtful. */
const clockLimitMs = 500

/** What is wrong now, by what is known, as sentences. */
export function concernsOf({ status, disks, clocks, members, modules, nics, tasks, vips, nodes }: ConcernInput, m: Messages): Concern[] {
  const found: Concern[] = []
  const say = (severity: Concern['severity'], text: string, kind?: string, id?: string): void =>
    void found.push({ severity, text, about: kind && id ? { kind, id } : undefined })
  const known = status.hosts.some((host) => host.state !== 'unknown')
  const down = new Set(status.hosts.filter((host) => host.state === 'down').map((host) => host.name))

  if (known && !status.cluster.quorum) say('error', m.concern.noQuorum)
  else if (known && !status.cluster.leader) say('error', m.concern.noLeader)
  for (const name of down) say('error', m.concern.hostDown(name), 'host', name)
  for (const host of status.hosts) if (host.state === 'unknown') say('unknown', m.concern.hostUnknown(host.name), 'host', host.name)
  for (const { host, plane, state } of cutPlanes(status, down, nics))
    say(state === 'down' ? 'error' : 'warning', m.concern.plane[state](host, m.plane[plane]), 'nic', `${host}/${plane}`)
  for (const member of members)
    if (member.state === 'down' && !down.has(member.host)) say('error', m.concern.memberDown(member.host), 'host', member.host)
  for (const module of modules) {
    if ((module.state === 'unhealthy' || module.state === 'stopped') && !down.has(module.host))
      say('error', m.concern.module(module.name, module.host, m.moduleState[module.state]), 'module', `${module.host}/${module.name}`)
  }
  for (const disk of disks)
    if (disk.health === 'failing') say('warning', m.concern.diskFailing(disk.name, disk.host), 'disk', `${disk.host}/${disk.name}`)
  for (const [host, offsetMs] of clocks)
    if (Math.abs(offsetMs) > clockLimitMs) say('warning', m.concern.clock(host, Math.round(offsetMs)), 'host', host)
  for (const task of tasks) if (task.state === 'interrupted') say('warning', m.concern.taskInterrupted(taskTitle(task, m)), 'task', task.id)

  if (nodes.length > 0 && nodes.every(({ state }) => state === 'down')) say('error', m.concern.noNode(nodes.map(({ host }) => host).join(', ')))
  for (const vip of vips) if (isContested(vip)) say('warning', m.concern.vipContested(vip.name), 'vip', vip.name)

  const versions = new Set(status.hosts.map((host) => host.agent.version).filter((version) => version !== null))
  if (versions.size > 1) say('warning', m.concern.versions([...versions].sort().join(', ')))
  return found.sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity))
}

/**
 * Hosts cut off on a plane by themselves. A host whose peers are cut is not at fault: only the worst rows of each plane are named, and of
 * those only the ones whose own NIC is without a link, where there are such.
 */
function cutPlanes(status: Status, down: ReadonlySet<string>, nics: Nic[]): { host: string; plane: Plane; state: 'down' | 'degraded' }[] {
  const rest = withoutPeers(status, down)
  return planes.flatMap((plane) => {
    const rows = rest.hosts.map((host) => ({ host: host.name, plane, state: planeState(rest, host.name, plane) }))
    const cut = rows.filter((row) => row.state === 'down')
    const poor = rows.filter((row) => row.state === 'degraded')
    const unplugged = cut.filter((row) => nics.some((nic) => nic.host === row.host && nic.plane === plane && nic.state === 'down'))
    return (unplugged.length > 0 ? unplugged : cut.length > 0 ? cut : poor) as { host: string; plane: Plane; state: 'down' | 'degraded' }[]
  })
}

/** The status with the named peers taken out of every cell: what is said of a dead host says nothing of a plane. */
function withoutPeers(status: Pick<Status, 'hosts'>, names: ReadonlySet<string>): Pick<Status, 'hosts'> {
  return {
    hosts: status.hosts
      .filter((host) => !names.has(host.name))
      .map((host) => ({
        ...host,
        planes: Object.fromEntries(
          Object.entries(host.planes).map(([plane, cells]) => [
            plane,
            Object.fromEntries(Object.entries(cells).filter(([peer]) => !names.has(peer))),
          ]),
        ),
      })),
  }
}
