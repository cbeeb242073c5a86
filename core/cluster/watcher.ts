import type { Env } from '../env.ts'
import type { LiveState, Plane } from '../model/common.ts'

/** A peer on one plane. */
export interface PathName {
  peer: string
  plane: Plane
}

export interface PathChange extends PathName {
  before: LiveState
  state: LiveState
}

/**
 * Timings of path detection. A host under full load on two cores delays a heartbeat by up to 250 ms, so five periods of silence
 * is the shortest that does not flap there; a path that comes back must prove itself for as long.
 */
export const watchTimings = { checkEveryMs: 100, downAfterMs: 500, upAfterHeartbeats: 5, firstVerdictMs: 1000 } as const

interface PathState {
  state: LiveState
  /** Watcher's clock at the last heartbeat, or when watching began. */
  heardAtMs: number
  /** Heartbeats in a row without a silence of `downAfterMs`. */
  streak: number
  begunAtMs: number
}

/**
 * States of the paths from peers to us, out of arrivals alone. `check` must be called every `checkEveryMs`.
 * Its clock runs only while we do: a process that stood still (swapped out, paused, starved) has heard nobody, which is no one's fault but its own,
 * so that time does not count as silence.
 */
export class PathWatcher {
  readonly #env: Env
  readonly #paths = new Map<string, PathState & PathName>()
  #clockMs = 0
  #checkedAtMs: number
  /** How often and how long we stood still ourselves. */
  readonly stalls = { count: 0, totalMs: 0 }

  constructor(env: Env) {
    this.#env = env
    this.#checkedAtMs = env.monotonicMs()
  }

  /** Sets which paths are watched; those that stay keep their state. */
  setPaths(paths: readonly PathName[]): void {
    const wanted = new Map(paths.map((path) => [keyOf(path), path]))
    for (const key of this.#paths.keys()) if (!wanted.has(key)) this.#paths.delete(key)
    for (const [key, { peer, plane }] of wanted) {
      if (this.#paths.has(key)) continue
      this.#paths.set(key, { peer, plane, state: 'unknown', heardAtMs: this.#now(), begunAtMs: this.#now(), streak: 0 })
    }
  }

  state(peer: string, plane: Plane): LiveState {
    return this.#paths.get(keyOf({ peer, plane }))?.state ?? 'unknown'
  }

  /** All watched paths with their states. */
  list(): (PathName & { state: LiveState })[] {
    return [...this.#paths.values()].map(({ peer, plane, state }) => ({ peer, plane, state }))
  }

  /** How long a path has been silent, not counting our own stalls. */
  silentMs(peer: string, plane: Plane): number {
    const path = this.#paths.get(keyOf({ peer, plane }))
    return path ? this.#now() - path.heardAtMs : 0
  }

  /** Notes a genuine heartbeat; answers the change that it makes, if any. */
  heard(peer: string, plane: Plane): PathChange | null {
    const path = this.#paths.get(keyOf({ peer, plane }))
    if (!path) return null
    const now = this.#now()
    path.streak = now - path.heardAtMs >= watchTimings.downAfterMs ? 1 : path.streak + 1
    path.heardAtMs = now
    const enough = path.state === 'unknown' || path.streak >= watchTimings.upAfterHeartbeats
    return path.state !== 'up' && enough ? change(path, 'up') : null
  }

  /** Finds paths that fell silent. */
  check(): PathChange[] {
    const elapsedMs = this.#env.monotonicMs() - this.#checkedAtMs
    const allowedMs = watchTimings.checkEveryMs * 2
    if (elapsedMs > allowedMs) {
      this.stalls.count++
      this.stalls.totalMs += elapsedMs - watchTimings.checkEveryMs
    }
    // What came in while we stood still is only read after this check, hence the time is taken off before any verdict.
    this.#clockMs += elapsedMs > allowedMs ? watchTimings.checkEveryMs : elapsedMs
    this.#checkedAtMs = this.#env.monotonicMs()
    const changes: PathChange[] = []
    for (const path of this.#paths.values()) {
      const silentMs = this.#clockMs - path.heardAtMs
      if (path.state === 'up' && silentMs >= watchTimings.downAfterMs) changes.push(change(path, 'down'))
      if (path.state === 'unknown' && this.#clockMs - path.begunAtMs >= watchTimings.firstVerdictMs) changes.push(change(path, 'down'))
    }
    return changes
  }

  #now(): number {
    return this.#clockMs + Math.min(this.#env.monotonicMs() - this.#checkedAtMs, watchTimings.checkEveryMs * 2)
  }
}

function change(path: PathState & PathName, state: LiveState): PathChange {
  const { peer, plane, state: before } = path
  path.state = state
  path.streak = 0
  return { peer, plane, before, state }
}

const keyOf = ({ peer, plane }: PathName) => `${peer}/${plane}`
