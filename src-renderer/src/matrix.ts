import type { Status } from '../../core/contract/desktop/inventory.ts'
import type { LiveState, Plane } from '../../core/model/index.ts'
import { summarise, worst, type SummaryState } from '../../core/status/summary.ts'

/** One cell of the matrix: how the other hosts hear one on one plane. */
export interface Cell {
  state: SummaryState
  /** Peers that hear it, and all that listen. */
  up: number
  all: number
  peers: { from: string; state: LiveState }[]
}

/**
 * What is said by a host that hears nobody on a plane tells of its own link, not of others': its word does not count against those whom
 * somebody hears. With one peer it cannot be told whose link it is, so it counts.
 */
const isDeaf = (row: Status['hosts'][number], plane: Plane): boolean => {
  const states = Object.values(row.planes[plane] ?? {})
  return states.length > 1 && states.every((state) => state === 'down')
}

export function heardOn(status: Pick<Status, 'hosts'>, host: string, plane: Plane): Cell {
  const peers = status.hosts.flatMap((row) => {
    const state = row.name === host ? undefined : row.planes[plane]?.[host]
    return state ? [{ from: row.name, state, counts: !isDeaf(row, plane) }] : []
  })
  const states = peers.map(({ state }) => state)
  const heard = states.includes('up')
  return {
    state: summarise(peers.filter(({ counts }) => counts || !heard).map(({ state }) => state)),
    up: states.filter((state) => state === 'up').length,
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
