import { eq } from 'drizzle-orm'
import { positions, type RecordsDb } from './schema.ts'

/** Places by node id, in the units of the topology's canvas. */
export type Positions = Record<string, { x: number; y: number }>

export function readPositions(db: RecordsDb, context: string): Positions {
  const rows = db.select().from(positions).where(eq(positions.context, context)).all()
  return Object.fromEntries(rows.map(({ node, x, y }) => [node, { x, y }]))
}

/** Replaces all places of a context. */
export function savePositions(db: RecordsDb, context: string, places: Positions): void {
  db.transaction((tx) => {
    tx.delete(positions).where(eq(positions.context, context)).run()
    for (const [node, { x, y }] of Object.entries(places)) tx.insert(positions).values({ context, node, x, y }).run()
  })
}
