import { hostname, userInfo } from 'node:os'
import type { Audit } from '../../core/model/task.ts'
import { asHoldfastError } from '../../core/errors.ts'
import type { Records } from '../records/records.ts'
import type { AuditEntry, AuditVerdict } from './chain.ts'

/** Who works at this laptop: `user@machine`. */
export function localActor(): string {
  return `${userInfo().username}@${hostname()}`
}

/** The record of every change that was asked for here, hash-chained and append-only. It holds no secrets: see redact.ts. */
export class AuditLog {
  readonly #records: Records
  readonly #actor: string

  constructor(records: Records, actor: string) {
    this.#records = records
    this.#actor = actor
  }

  /** Adds a record in the name of who works here. */
  async append(entry: Omit<AuditEntry, 'actor'>): Promise<Audit> {
    return (await this.#records.api()).appendAudit({ actor: this.#actor, ...entry })
  }

  /** Makes a change between two records: that it was asked for, and how it ended. Without the first the change is not made. */
  async around<T>(action: string, about: string[], detail: Record<string, unknown>, change: () => Promise<T>): Promise<T> {
    await this.append({ action, about, outcome: 'asked', detail })
    try {
      const answer = await change()
      await this.append({ action, about, outcome: 'done', detail })
      return answer
    } catch (thrown) {
      const { code, message } = asHoldfastError(thrown)
      await this.append({ action, about, outcome: 'failed', detail: { ...detail, code, message } })
      throw thrown
    }
  }

  /** The newest records, newest first. */
  async list(limit = 1000): Promise<Audit[]> {
    return (await this.#records.api()).listAudit(limit)
  }

  /** Reads the whole log and names the first record that is missing, changed or out of place. */
  async verify(): Promise<AuditVerdict> {
    return (await this.#records.api()).verifyAudit()
  }
}
