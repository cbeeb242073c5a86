import type { Announcement, Drift } from '../../model/broadcast.ts'

/** `VipOwner` without its epoch, which is the revision at which it was written. */
export interface Owner {
  port: string
  host: string
  mac: string
  sinceMs: number
  /** It has it without having announced it, so that neighbours look for it elsewhere: its host announces it. */
  unannounced?: true | undefined
}

/** What the store has of a VIP. */
export interface VipRecord {
  owner: Owner | null
  /** Empty: read by versions before, which kept here what `Masters` are now, so that the epoch rose without a move. */
  claimants: Announcement[]
  /** Oldest first. */
  history: Drift[]
}

export const noRecord: VipRecord = { owner: null, claimants: [], history: [] }

/** A port that may have a VIP has it now. */
export interface Claim extends Omit<Owner, 'sinceMs'> {
  atMs: number
  /** See `Drift`. */
  outageMs: number | null
}

/** What becomes of a claim: nothing is new, it moves the address, or it is to be looked at again so much later, unless another comes before. */
export type Decision = { kind: 'known' } | { kind: 'moves'; record: VipRecord } | { kind: 'held'; forMs: number }

export const keptDrifts = 50
/** An address that moves this often in so long flaps, and then stays this long wherever it is. */
const flapping = { drifts: 6, withinMs: 10_000, holdMs: 3000 } as const

/** A claim that took longer to get here, because its host hung or the store was away, may have been overtaken. Hosts' clocks differ by less. */
const timelyMs = 2000

/** The last claim decides: whoever announces an address has it, as on a wire. */
export function decide(record: VipRecord, claim: Claim, nowMs: number): Decision {
  const { owner, history } = record
  const { port, host, mac, unannounced, atMs, outageMs } = claim
  if (owner?.port === port && owner.host === host && owner.mac === mac) return { kind: 'known' }
  if (owner && owner.sinceMs > atMs && nowMs - atMs > timelyMs) return { kind: 'known' }
  const heldForMs = owner ? owner.sinceMs + flapping.holdMs - nowMs : 0
  if (isDamped(record, nowMs) && heldForMs > 0) return { kind: 'held', forMs: heldForMs }
  // A guest that shows another MAC, or is elsewhere, is still the same owner.
  const drift: Drift[] = owner?.port === port ? [] : [{ from: owner?.port ?? null, to: port, atMs, outageMs }]
  return {
    kind: 'moves',
    record: {
      ...record,
      owner: { port, host, mac, sinceMs: atMs, ...(unannounced && { unannounced }) },
      history: [...history, ...drift].slice(-keptDrifts),
    },
  }
}

/** Whether an address moves so often that its moves are held back. */
export function isDamped({ history }: Pick<VipRecord, 'history'>, nowMs: number): boolean {
  return history.filter(({ atMs }) => nowMs - atMs < flapping.withinMs).length >= flapping.drifts
}
