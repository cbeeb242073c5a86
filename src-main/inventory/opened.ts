import { chmodSync, statSync } from 'node:fs'
import { HoldfastError } from '../../core/errors.ts'
import { isCorrupt, openWritable, type Migration, type WritableDb } from './database.ts'
import { endedUncleanly, inodeOf, moveAside } from './files.ts'

/** A check of every page of a larger file would hold up writing for seconds. */
const maxCheckedBytes = 256 * 1024 * 1024

/** A database file that is moved aside and made anew when it turns out to be damaged. */
export class OpenedDatabase {
  readonly #path: string
  readonly #migrations: readonly Migration[]
  readonly #durable: boolean
  #db: WritableDb | undefined
  #inode = 0

  constructor(path: string, migrations: readonly Migration[], durable: boolean) {
    this.#path = path
    this.#migrations = migrations
    this.#durable = durable
  }

  get db(): WritableDb {
    if (!this.#db) throw new HoldfastError('internal', `${this.#path} is closed`, 'Start the program again.')
    return this.#db
  }

  /** Opens the file. Answers where a damaged one was moved to, or null; `check` says that `check()` is called for. */
  open(): { movedTo: string | null; check: boolean } {
    const check = endedUncleanly(this.#path) && statSync(this.#path).size <= maxCheckedBytes
    try {
      this.#open()
      return { movedTo: null, check }
    } catch (error) {
      if (!isCorrupt(error)) throw error
      const movedTo = moveAside(this.#path, Date.now())
      this.#open()
      return { movedTo, check: false }
    }
  }

  /** Whether every page of the file is in order. */
  isSound(): boolean {
    return this.db.pragma('quick_check(1)', { simple: true }) === 'ok'
  }

  /** Replaces a damaged file, unless another program has done so already. Answers where it was moved to, or null. */
  recover(): string | null {
    this.close()
    const movedTo = inodeOf(this.#path) === this.#inode ? moveAside(this.#path, Date.now()) : null
    this.#open()
    return movedTo
  }

  close(): void {
    try {
      this.#db?.close()
    } finally {
      this.#db = undefined
    }
  }

  #open(): void {
    this.#db = openWritable(this.#path, this.#migrations, this.#durable)
    chmodSync(this.#path, 0o600)
    this.#inode = inodeOf(this.#path)
  }
}
