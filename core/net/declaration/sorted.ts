/** The same in the order of their keys, by UTF-16 code unit, which is the same everywhere. */
export function sortedBy<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  return items.toSorted((a, b) => order(keyOf(a), keyOf(b)))
}

/** Objects in the order in which a virtual network's lists have them. */
export function sortedByName<T extends { name: string }>(items: readonly T[]): T[] {
  return items.toSorted((a, b) => order(a.name, b.name))
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
