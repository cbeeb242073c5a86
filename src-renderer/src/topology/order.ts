import { byName } from '../format.ts'

/**
 * Names in natural order, except that those that were there before keep their order and the others come behind them: so nobody moves when
 * one is added while one looks.
 */
export function keepOrder(before: readonly string[], names: readonly string[]): string[] {
  const now = new Set(names)
  const kept = before.filter((name) => now.has(name))
  const known = new Set(kept)
  return [...kept, ...names.filter((name) => !known.has(name)).sort(byName)]
}
