import { planes, type LiveState, type Plane } from '../model/common.ts'
import type { Severity } from '../model/event.ts'
import type { PathChange } from './watcher.ts'

/** An event in words, before it gets its number. */
export interface EventWords {
  type: string
  severity: Severity
  message: string
  about: string[]
  data: Record<string, unknown>
}

/** The paths that a host watches, as they are after the changes. */
export interface PathView {
  self: string
  paths: readonly { peer: string; plane: Plane; state: LiveState }[]
}

/**
 * Says what happened when paths changed together, culprit first: a plane on which nobody is heard any more is our own fault or the
 * switch's, a peer that is heard nowhere is down, and a peer that is heard elsewhere has lost one link.
 */
export function describePathChanges(changes: readonly PathChange[], { self, paths }: PathView): EventWords[] {
  const words: EventWords[] = []
  const real = netChanges(changes)
  const told = new Set<PathChange>()
  for (const plane of planes) {
    const down = real.filter((change) => change.plane === plane && change.state === 'down')
    const onPlane = paths.filter((path) => path.plane === plane)
    // With one peer it cannot be told whose link it is.
    if (down.length === 0 || onPlane.length < 2 || onPlane.some((path) => path.state === 'up')) continue
    const elsewhere = down.filter((change) => paths.some((path) => path.peer === change.peer && path.state === 'up'))
    if (elsewhere.length === 0) continue
    for (const change of down) told.add(change)
    words.push({
      type: 'path-down',
      severity: 'warning',
      message: `${self} hears nobody on ${plane}; ${joinNames(elsewhere.map((change) => change.peer))} ${elsewhere.length > 1 ? 'are' : 'is'} heard on other planes, so look at ${self}'s own link or its switch`,
      about: [`host/${self}`, ...down.map((change) => `path/${self}/${change.peer}/${plane}`)],
      data: { culprit: self, plane, peers: down.map((change) => change.peer) },
    })
  }
  for (const peer of new Set(real.filter((change) => !told.has(change)).map((change) => change.peer))) {
    const own = real.filter((change) => change.peer === peer && !told.has(change))
    const states = paths.filter((path) => path.peer === peer)
    const up = states.filter((path) => path.state === 'up').map((path) => path.plane)
    for (const state of ['down', 'up'] as const) {
      const changed = own.filter((change) => change.state === state).map((change) => change.plane)
      if (changed.length === 0) continue
      const about = [`host/${peer}`, ...changed.map((plane) => `path/${self}/${peer}/${plane}`)]
      const data = { culprit: peer, planes: changed, by: self }
      if (state === 'up') words.push({ type: 'path-up', severity: 'info', message: `${peer} is heard on ${joinNames(changed)}`, about, data })
      else
        words.push({
          type: 'path-down',
          severity: up.length === 0 ? 'error' : 'warning',
          message:
            up.length === 0
              ? `${peer} is not heard on any plane by ${self}`
              : `${peer} is not heard on ${joinNames(changed)}; it is on ${joinNames(up)}`,
          about,
          data,
        })
    }
  }
  return words
}

/** What is left of changes that came together: a path that went and came back has not changed, and a first verdict is no news. */
function netChanges(changes: readonly PathChange[]): PathChange[] {
  const byPath = new Map<string, PathChange>()
  for (const change of changes) {
    const key = `${change.peer}/${change.plane}`
    byPath.set(key, { ...change, before: byPath.get(key)?.before ?? change.before })
  }
  return [...byPath.values()].filter((change) => change.before !== 'unknown' && change.before !== change.state)
}

/** From this difference on clocks are told apart as wrong, in ms. */
export const clockSkewMs = 5000

/** Whose clock is wrong, from the differences of peers' clocks to ours; null when none is by more than 5 s. Ours is, when most peers differ from it. */
export function findSkewedClocks(self: string, offsetsMs: ReadonlyMap<string, number>): { host: string; offsetMs: number }[] {
  const skewed = [...offsetsMs].filter(([, offsetMs]) => Math.abs(offsetMs) > clockSkewMs)
  if (offsetsMs.size >= 2 && skewed.length * 2 > offsetsMs.size) {
    const sorted = skewed.map(([, offsetMs]) => offsetMs).sort((a, b) => a - b)
    return [{ host: self, offsetMs: -sorted[Math.floor(sorted.length / 2)]! }]
  }
  return skewed.map(([host, offsetMs]) => ({ host, offsetMs }))
}

/** `a`, `a and b`, `a, b and c`. */
export function joinNames(names: readonly string[]): string {
  return names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)!}`
}
