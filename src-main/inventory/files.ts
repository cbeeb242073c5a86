import { existsSync, renameSync, statSync } from 'node:fs'

/** SQLite's companions of a database file. */
const companions = ['', '-wal', '-shm']

/** Number of the file behind a path, to tell whether another program has replaced it; 0 when there is none. */
export function inodeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? 0
}

/** Whether the last program that wrote the file ended without closing it, so that it deserves a look. */
export function endedUncleanly(path: string): boolean {
  return (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0
}

/** Moves a damaged database and its companions out of the way, so that nothing of it is lost. Answers its new path. */
export function moveAside(path: string, nowMs: number): string {
  const stamp = new Date(nowMs).toISOString().replace(/[-:]/g, '').replace(/\..*/, 'Z')
  let target = `${path}.corrupt-${stamp}`
  for (let count = 2; existsSync(target); count++) target = `${path}.corrupt-${stamp}-${count}`
  for (const companion of companions) if (existsSync(path + companion)) renameSync(path + companion, target + companion)
  return target
}
