import type { Box } from './layout.ts'

/*
 * What is inside a host's box below its name and state: its ports as chips. Collapsed, a row with the chips that are wanted now and the
 * count of the others; expanded, all of them in columns below their count. Lengths in pixels at zoom 1.
 */

export interface Inside {
  /** How much taller the host is for it. */
  growth: number
  chips: (Box & { name: string })[]
  /** Stands for those that are not shown, and expands or collapses the host; null for a host without ports. */
  count: (Box & { hidden: number; all: number }) | null
}

/** `badge`: room beside a chip that is shown for itself, for the number of a trace's hop. */
export const chip = { height: 20, pitch: 24, gap: 6, margin: 10, most: 112, count: 78, rest: 44, badge: 22 }

/** Where the first row's middle lies below the host's top. */
const firstRow = 74

/** Width of a chip's label at 12 px. */
export const chipWidth = (name: string): number => Math.min(chip.most, Math.max(40, Math.round(name.length * 6.9) + 14))

/** `left` and `top` are the host's; `ports` in the order in which they are to stand. */
export function insideOf(
  { left, top, width }: { left: number; top: number; width: number },
  ports: readonly string[],
  { expanded, pinned }: { expanded: boolean; pinned: ReadonlySet<string> },
): Inside {
  // Room for a row is there before the first port is: nobody moves when it comes.
  if (ports.length === 0) return { growth: chip.pitch + 4, chips: [], count: null }
  const begin = left + chip.margin
  const end = left + width - chip.margin
  const row = (index: number): number => top + firstRow + index * chip.pitch
  const box = (from: number, at: number, wide: number): Box => ({ x: from + wide / 2, y: at, width: wide, height: chip.height })

  if (!expanded) {
    const wanted = ports.filter((name) => pinned.has(name))
    const chips: Inside['chips'] = []
    let from = begin
    for (const name of wanted) {
      const wide = chipWidth(name)
      if (from + wide + chip.badge + chip.rest > end && chips.length > 0) break
      chips.push({ name, ...box(from, row(0), Math.min(wide, end - from)) })
      from += wide + chip.badge
    }
    const hidden = ports.length - chips.length
    const count = hidden === 0 ? null : { ...box(from, row(0), chips.length === 0 ? chip.count : chip.rest), hidden, all: ports.length }
    return { growth: chip.pitch + 4, chips, count }
  }
  const widest = Math.max(...ports.map(chipWidth))
  const columns = Math.max(1, Math.floor((end - begin + chip.gap) / (widest + chip.gap)))
  const wide = (end - begin - (columns - 1) * chip.gap) / columns
  const chips = ports.map((name, i) => ({
    name,
    ...box(begin + (i % columns) * (wide + chip.gap), row(1 + Math.floor(i / columns)), wide),
  }))
  const rows = 1 + Math.ceil(ports.length / columns)
  return { growth: rows * chip.pitch + 4, chips, count: { ...box(begin, row(0), chip.count), hidden: 0, all: ports.length } }
}
