import type { ReachabilityDoc } from '../../../core/contract/desktop/network.ts'
import { byName } from '../format.ts'

export type Reach = ReachabilityDoc['reaches'][number]

/** Ports that nothing tells apart, which share a row and a column. */
export interface ReachClass {
  number: number
  network: string
  /** Names of its ports in natural order, one at least. */
  members: string[]
}

/** From any port of one class to any other of another. */
export interface ReachCell {
  from: ReachClass
  to: ReachClass
  /** How many pairs it stands for; 0 from the only port of a class to itself. */
  pairs: number
  /** How it is now; `reason` null: they reach each other. */
  reach: Reach
  /** Pairs of it that a plan cuts off and joins, of those that the answer names. */
  lost: number
  gained: number
}

export interface ReachTable {
  classes: ReachClass[]
  /** By row and column, in the order of `classes`. */
  cells: ReachCell[][]
}

/** The matrix of an answer. Rows and columns by network, then by name. */
export function reachTable(doc: ReachabilityDoc, networkOf: (port: string) => string): ReachTable {
  const byClass = Map.groupBy(doc.ports, ({ classNumber }) => classNumber)
  const classes = [...byClass]
    .map(([number, ports]): ReachClass => {
      const members = ports.map(({ name }) => name).sort(byName)
      return { number, network: networkOf(members[0]!), members }
    })
    .sort((a, b) => byName(a.network, b.network) || byName(a.members[0]!, b.members[0]!))
  const classOf = new Map(doc.ports.map(({ name, classNumber }) => [name, classNumber]))
  const changes = Map.groupBy(doc.plan?.pairs ?? [], ({ from, to }) => `${classOf.get(from)} ${classOf.get(to)}`)
  const cells = classes.map((from) =>
    classes.map((to): ReachCell => {
      const pairs = from.members.length * to.members.length - (from === to ? from.members.length : 0)
      const changed = changes.get(`${from.number} ${to.number}`) ?? []
      const lost = changed.filter(({ after }) => after.reason !== null).length
      return {
        ...{ from, to, pairs, reach: doc.reaches[doc.cells[from.number]![to.number]!]! },
        ...{ lost, gained: changed.length - lost },
      }
    }),
  )
  return { classes, cells }
}

/** Only the classes of which the network or a port contains one of the words, lower case; all where there are none. */
export function narrowed({ classes, cells }: ReachTable, words: readonly string[]): ReachTable {
  const kept = classes.map(
    ({ network, members }) => words.length === 0 || words.some((word) => [network, ...members].some((name) => name.includes(word))),
  )
  return { classes: classes.filter((_, i) => kept[i]), cells: cells.filter((_, i) => kept[i]).map((row) => row.filter((_, i) => kept[i])) }
}

/** Two ports that a cell stands for: the first of each, or of the same class the first two. */
export const pairOf = ({ from, to }: Pick<ReachCell, 'from' | 'to'>): [from: string, to: string] => [
  from.members[0]!,
  to.members.find((name) => name !== from.members[0]) ?? to.members[0]!,
]

/** The cell that a pair of ports lies in. */
export function cellOf({ classes, cells }: ReachTable, from: string, to: string): ReachCell | undefined {
  const [row, column] = [from, to].map((name) => classes.findIndex(({ members }) => members.includes(name))) as [number, number]
  return cells[row]?.[column]
}

/** How many pairs there are, how many of them reach each other, and what stops the others, the most frequent first. */
export function reachCounts({ cells }: ReachTable): { all: number; reached: number; stopped: { reach: Reach; pairs: number }[] } {
  const stopped = new Map<string, { reach: Reach; pairs: number }>()
  let [all, reached] = [0, 0]
  for (const { pairs, reach } of cells.flat()) {
    all += pairs
    if (reach.reason === null) reached += pairs
    else if (pairs > 0) {
      const key = `${reach.reason} ${reach.object}`
      stopped.set(key, { reach, pairs: pairs + (stopped.get(key)?.pairs ?? 0) })
    }
  }
  return { all, reached, stopped: [...stopped.values()].sort((a, b) => b.pairs - a.pairs) }
}
