import type { LiveState } from '../model/index.ts'

/** A state of several things at once: `degraded` when some are up and some are down. */
export type SummaryState = LiveState | 'degraded'

/** Folds states into one. What is unknown neither helps nor hurts as long as something is known. */
export function summarise(states: Iterable<LiveState>): SummaryState {
  const seen = new Set(states)
  if (seen.has('up')) return seen.has('down') ? 'degraded' : 'up'
  return seen.has('down') ? 'down' : 'unknown'
}

const order: SummaryState[] = ['up', 'unknown', 'degraded', 'down']

/** The state that needs attention most: down, then degraded, then unknown, then up. `up` for none at all. */
export function worst(states: Iterable<SummaryState>): SummaryState {
  let found: SummaryState = 'up'
  for (const state of states) if (order.indexOf(state) > order.indexOf(found)) found = state
  return found
}
