import type { Status } from '../../core/contract/desktop/inventory.ts'
import type { LiveState, Plane } from '../../core/model/index.ts'
import { summarise, worst, type SummaryState } from '../../core/status/summary.ts'

/** One cell of the matrix: how the other hosts hear one on one plane. */
export interface Cell {
  state: SummaryState
  /** Peers that say up, that say anything, and all that could. */
  up: number
  known: number
  all: number
  peers: { from: string; state: LiveState }[]
}

export function heardOn(status: Pick<Status, 'hosts'>, host: string, plane: Plane): Cell {
  const peers = status.hosts.flatMap((row) => {
    const state = row.name === host ? undefined : row.planes[plane]?.[host]
    return state ? [{ from: row.name, state }] : []
  })
  const states = peers.map(({ state }) => state)
  return {
    state: summarise(states),
    up: states.filter((state) => state === 'up').length,
    known: states.filter((state) => state !== 'unknown').length,
    all: states.length,
    peers,
  }
}

const order: SummaryState[] = ['down', 'degraded', 'unknown', 'up']

/** How a host fares altogether: its own state first, then its worst plane. Smaller is worse. */
export function severityOf(status: Pick<Status, 'hosts'>, host: Status['hosts'][number]): number {
  const planesState = worst(Object.keys(host.planes).map((plane) => heardOn(status, host.name, plane as Plane).state))
  return order.indexOf(host.state) * 10 + order.indexOf(planesState)
}
