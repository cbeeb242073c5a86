import { hash32 } from './hash.ts'

/**
 * Names by how much a key prefers them (rendezvous hashing: Thaler and Ravishankar, 1998). Everybody who knows the same names finds the same order,
 * and a name that comes or goes changes nothing in the order of the others.
 */
export function ranked(key: string, names: readonly string[]): string[] {
  const weights = new Map(names.map((name) => [name, hash32(`${key} ${name}`)]))
  return names.toSorted((a, b) => weights.get(b)! - weights.get(a)! || (a < b ? -1 : 1))
}
