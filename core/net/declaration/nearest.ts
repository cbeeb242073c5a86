/** The word that was probably meant by a mistyped one: the one of least edit distance, null where none is close. */
export function nearest(typed: string, known: readonly string[]): string | null {
  let best: string | null = null
  let least = Math.max(1, Math.floor(Math.min(typed.length, 64) / 3)) + 1
  for (const word of known) {
    if (Math.abs(word.length - typed.length) >= least) continue
    const distance = editDistance(typed, word)
    if (distance < least) [best, least] = [word, distance]
  }
  return best
}

/** Letters to insert, delete, replace or swap with their neighbour (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let above: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      const swapped = i > 0 && j > 0 && a[i] === b[j - 1] && a[i - 1] === b[j] ? above[j - 1]! + 1 : Infinity
      next.push(Math.min(row[j]! + Number(a[i] !== b[j]), row[j + 1]! + 1, next[j]! + 1, swapped))
    }
    above = row
    row = next
  }
  return row[b.length]!
}
