/** Adds a batch in order of time, each second once, and drops what is older than `reachMs` before the newest. The same list if nothing is new. */
export function append<S extends { atMs: number }>(list: S[], batch: S[], reachMs: number): S[] {
  const lastMs = list.at(-1)?.atMs ?? -1
  const added = batch.filter(({ atMs }) => atMs > lastMs).sort((a, b) => a.atMs - b.atMs)
  if (added.length === 0) return list
  const fromMs = added.at(-1)!.atMs - reachMs
  return [...list, ...added].filter(({ atMs }) => atMs >= fromMs)
}
