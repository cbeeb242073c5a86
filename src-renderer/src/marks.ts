import type { Audit, Disk, ModuleState } from '../../core/model/index.ts'
import type { Mark } from './ui/StateMark.svelte'

/** Shapes for states that have words of their own. */
export const diskMark: Record<Disk['health'], Mark> = { ok: 'up', failing: 'warning', unknown: 'unknown' }

export const moduleMark: Record<ModuleState | 'unknown', Mark> = {
  starting: 'degraded',
  running: 'up',
  unhealthy: 'down',
  restarting: 'degraded',
  upgrading: 'degraded',
  stopped: 'down',
  unknown: 'unknown',
}

export const outcomeMark: Record<Audit['outcome'], Mark> = { asked: 'info', done: 'up', refused: 'warning', failed: 'error' }
