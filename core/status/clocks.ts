import type { Path } from '../model/index.ts'

/**
 * How far each host's wall clock is from the others', in ms, ahead of them when positive: as the peer sees it that agrees with it best.
 * So one wrong clock does not make all the others wrong; of two hosts that disagree, both are told. Only paths that are up tell.
 */
export function clockOffsets(paths: Iterable<Path>): Map<string, number> {
  const offsets = new Map<string, number>()
  for (const { to, state, clockOffsetMs } of paths) {
    if (state !== 'up' || clockOffsetMs === undefined) continue
    const best = offsets.get(to)
    if (best === undefined || Math.abs(clockOffsetMs) < Math.abs(best)) offsets.set(to, clockOffsetMs)
  }
  return offsets
}
