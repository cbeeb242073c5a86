import tasks from './0001-tasks.ts'
import audit from './0002-audit.ts'
import positions from './0003-positions.ts'

/** The records' schema, oldest change first. */
export const recordsMigrations = [tasks, audit, positions]
