import type { Audit } from '../../../core/model/task.ts'
import { app } from './app.svelte.ts'

/** The audit log as it was read last. It is asked for, not streamed: it grows by a person's deeds. */
class AuditLog {
  records = $state.raw<Audit[]>([])
  loaded = $state(false)

  /** Reads it on each connection, and again with every task that begins or ends, until the function returned is called. */
  watch(): () => void {
    return app.whileOpen(async (client) => {
      const { items } = await client.inventory.list({ kind: 'audit' })
      this.records = (items as unknown as Audit[]).toSorted((a, b) => b.number - a.number)
      this.loaded = true
    })
  }
}

export const audit = new AuditLog()
