import type { Status } from '../../core/contract/desktop/inventory.ts'
import type { Host, Task } from '../../core/model/index.ts'
import { duration } from './format.ts'
import type { Messages } from './i18n/i18n.svelte.ts'

/** What will happen, before it does. */
export interface Plan {
  title: string
  changes: string[]
  interrupted: string[]
  undone: string
  /** Why it cannot be done now; then there is nothing to confirm. */
  refused?: string
  /** Verb and object. */
  confirm: string
}

export interface PlanInput {
  host: string
  status: Status
  hosts: Host[]
  /** Earlier tasks, for how long such a thing took here. */
  tasks: Task[]
}

/** How long the last such task took that was done, in ms; null when none was. */
export function measuredMs(tasks: Task[], type: string): number | null {
  const done = tasks.filter((task) => task.type === type && task.state === 'done' && task.endedAtMs !== undefined)
  const last = done.reduce<Task | undefined>((latest, task) => (task.endedAtMs! > (latest?.endedAtMs ?? 0) ? task : latest), undefined)
  return last ? last.endedAtMs! - last.startedAtMs : null
}

const took = (tasks: Task[], type: string, m: Messages): string => {
  const ms = measuredMs(tasks, type)
  return ms === null ? m.plan.notMeasured : m.plan.took(duration(ms, m.units))
}

/** Taking a host out of the cluster. */
export function removalPlan({ host, status, hosts, tasks }: PlanInput, m: Messages): Plan {
  const voters = hosts.filter((known) => known.role === 'voter').map((known) => known.name)
  const isVoter = voters.includes(host)
  const left = voters.length - 1
  const upLeft = voters.filter((name) => name !== host && status.hosts.find((row) => row.name === name)?.state === 'up').length
  const losesQuorum = isVoter && left > 0 && upLeft * 2 <= left
  return {
    title: m.plan.remove.title(host),
    changes: [
      ...(isVoter ? [m.plan.remove.member(voters.length, left, Math.floor((left - 1) / 2))] : []),
      m.plan.remove.agent(host),
      m.plan.remove.certificate(host),
      m.plan.remove.kept(host),
    ],
    interrupted: [...(status.cluster.leader === host ? [m.plan.remove.leader] : []), m.plan.remove.terminals(host), took(tasks, 'host-remove', m)],
    undone: m.plan.remove.undone(host),
    ...(hosts.length <= 1 ? { refused: m.plan.remove.last } : losesQuorum ? { refused: m.plan.remove.quorum(host) } : {}),
    confirm: m.plan.remove.confirm(host),
  }
}

/** Bringing a host to the laptop's agent version. */
export function upgradePlan({ host, status, tasks }: PlanInput, m: Messages): Plan {
  const state = status.hosts.find((row) => row.name === host)?.state
  return {
    title: m.plan.upgrade.title(host),
    changes: [m.plan.upgrade.copy, m.plan.upgrade.modules, m.plan.upgrade.supervisor],
    interrupted: [m.plan.upgrade.nothing, took(tasks, 'host-upgrade', m)],
    undone: m.plan.upgrade.undone,
    ...(state !== 'up' ? { refused: m.plan.upgrade.notUp(host) } : {}),
    confirm: m.plan.upgrade.confirm(host),
  }
}

/** Having a host's other virtual switch forward. `ports`: how many it forwards for; `lastOutageMs`: what was measured there last, null: nothing. */
export function failoverPlan(
  { host, status, ports, lastOutageMs }: Pick<PlanInput, 'host' | 'status'> & { ports: number; lastOutageMs: number | null },
  m: Messages,
): Plan {
  const state = status.hosts.find((row) => row.name === host)?.state
  return {
    title: m.plan.failover.title(host),
    changes: [m.plan.failover.other(host)],
    interrupted: [
      m.plan.failover.interrupted(ports),
      ...(ports > 0 ? [lastOutageMs === null ? m.plan.notMeasured : m.plan.failover.last(lastOutageMs)] : []),
    ],
    undone: m.plan.failover.undone,
    ...(state !== 'up' ? { refused: m.plan.failover.notUp(host) } : {}),
    confirm: m.plan.failover.confirm(host),
  }
}
