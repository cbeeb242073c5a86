import type { AclMatch } from '../../model/network.ts'

/**
 * A port or a range of ports as matches with masks: the fewest aligned blocks that make up the range, at most 30. Undefined (no match at
 * all) where nothing is asked.
 */
export function portMasks(field: 'tp_src' | 'tp_dst', ports: AclMatch['sport']): (string | undefined)[] {
  if (ports === undefined) return [undefined]
  if (typeof ports === 'number') return [`${field}=${ports}`]
  const [first, last] = ports
  const matches: (string | undefined)[] = []
  for (let start = first; start <= last;) {
    let size = 1
    while (start % (size * 2) === 0 && start + size * 2 - 1 <= last) size *= 2
    matches.push(
      size === 0x1_0000 ? undefined : size === 1 ? `${field}=${start}` : `${field}=0x${start.toString(16)}/0x${(0x1_0000 - size).toString(16)}`,
    )
    start += size
  }
  return matches
}
