import type { Port, Vip } from '../../model/network.ts'
import { isDamped, keptDrifts, type Decision, type Owner, type VipRecord } from './claims.ts'

/**
 * VIPs that the platform drives: those with a `healthCheck`. The host of a member checks it and reports what it found; the host that leads the
 * cluster decides by these reports where the address is.
 *
 * Times are wall clocks of hosts and compared with each other, as everywhere in the records of VIPs: a clock that is wrong by seconds shifts
 * measured outages and the time that a member has to have been well by as much, and does not keep an address at a member that is unwell.
 */

/** Failures in a row that make a member unwell; one success makes it well. */
const failuresUntilUnwell = 2

/** A member of higher priority, and any member of an address that flaps, gets the address only when it has been well for so long. */
export const settleMs = 3000

/** Before an address is given away for the first time, members that come first have so long to be heard of. */
export const firstReportMs = 1500

/** What its host has found of a member. */
export interface MemberHealth {
  well: boolean
  /** Since when it is as it is. */
  sinceMs: number
  /** What is wrong with an unwell one. */
  why: string | null
  /** Of an unwell one: when a check last succeeded; null: never since it is checked. */
  lastWellAtMs: number | null
}

/** What the checks of a member have come to; `health` is null until that is known. */
export interface CheckedMember {
  health: MemberHealth | null
  failuresInRow: number
  lastWellAtMs: number | null
}

export const notYetChecked: CheckedMember = { health: null, failuresInRow: 0, lastWellAtMs: null }

/** Takes in the result of a check: null, or why it failed. */
export function afterCheck(before: CheckedMember, failure: string | null, atMs: number): CheckedMember {
  const { health } = before
  if (failure === null) {
    const well = health?.well ? health : { well: true, sinceMs: atMs, why: null, lastWellAtMs: null }
    return { health: well, failuresInRow: 0, lastWellAtMs: atMs }
  }
  const { lastWellAtMs } = before
  const failuresInRow = before.failuresInRow + 1
  if (failuresInRow < failuresUntilUnwell) return { health, failuresInRow, lastWellAtMs }
  const sinceMs = health?.well === false ? health.sinceMs : atMs
  return { health: { well: false, sinceMs, why: failure, lastWellAtMs }, failuresInRow, lastWellAtMs }
}

/** A member of a VIP, as the host that leads sees it. */
export interface Member {
  port: string
  host: string
  mac: string
  /** Null: its host says nothing of it, or is not there. */
  health: MemberHealth | null
  /** It is none of those that can be checked, and never gets the address: why. */
  uncheckable: string | null
}

/** What hosts report: by host, the newest by VIP and port. */
type Reports = ReadonlyMap<string, { doc: Readonly<Record<string, Readonly<Record<string, MemberHealth>>>> }>

/** The members of a VIP, in its order. `ports`: all there are, by name. */
export function membersOf(vip: Vip, ports: ReadonlyMap<string, Port>, reports: Reports): Member[] {
  return vip.ports.flatMap((name) => {
    const port = ports.get(name)
    if (!port) return []
    const { host, mac } = port
    const uncheckable = whyUncheckable(port)
    const health = uncheckable === null ? (reports.get(host)?.doc[vip.name]?.[name] ?? null) : null
    return [{ port: name, host, mac, health, uncheckable }]
  })
}

/** Only light guests can be checked: a host has no address in a network, and a check from anywhere else would not go the guests' way. */
export function whyUncheckable({ attach: { kind } }: Port): string | null {
  return kind === 'netns' ? null : `it cannot be checked: only light guests can, and it is attached as ${kind}`
}

/** The members that cannot have the address now, with what is wrong with each. */
export function unwellMembers(members: readonly Member[]): { port: string; why: string }[] {
  return members.flatMap(({ port, host, health, uncheckable }) => {
    if (health?.well) return []
    return [{ port, why: uncheckable ?? health?.why ?? `${host} says nothing of it` }]
  })
}

/** The address that a check of a member connects to: of the VIP's family where the port has one. */
export function checkedAddress(vip: Vip, port: Port): string {
  return vip.ip.includes(':') ? (port.ip6 ?? port.ip) : port.ip
}

/**
 * Where the address is to be: at the well member of the highest priority, among equals the first of the VIP's ports. Whoever has it keeps it
 * while it is well, unless one of a strictly higher priority has been well for `settleMs`: one that comes back, fails and comes back again does
 * not take the address along each time. A member that fails loses it at once, to nobody if no other is well. An address that flaps all the same
 * waits at an unwell owner until another member has been well for `settleMs`.
 *
 * `lastWellAtMs`: when the present owner was last known to be well; null: nobody knows.
 */
export function decidePlace(vip: Vip, record: VipRecord, members: readonly Member[], lastWellAtMs: number | null, nowMs: number): Decision {
  const priority = ({ port }: Member): number => vip.priorities?.[port] ?? 0
  const ranked = members.filter(({ uncheckable }) => uncheckable === null).toSorted((a, b) => priority(b) - priority(a))
  const well = ranked.filter(({ health }) => health?.well)
  const unsettledMs = ({ health }: Member, longMs: number): number => health!.sinceMs + longMs - nowMs
  const isSettled = (member: Member): boolean => unsettledMs(member, settleMs) <= 0
  const untilSettled = (waiting: readonly Member[]): Decision => ({
    kind: 'held',
    forMs: Math.min(...waiting.map((member) => unsettledMs(member, settleMs))),
  })

  const present = well.find(({ port }) => port === record.owner?.port)
  if (present) {
    const better = well.filter((member) => priority(member) > priority(present))
    const next = better.find(isSettled)
    if (next) return moves(record, next, nowMs, 0)
    // The port was moved, or shows another MAC.
    if (record.owner!.host !== present.host || record.owner!.mac !== present.mac) return moves(record, present, nowMs, null)
    return better.length > 0 ? untilSettled(better) : { kind: 'known' }
  }

  const next = isDamped(record, nowMs) ? well.find(isSettled) : well[0]
  if (!next && well.length > 0) return untilSettled(well)
  if (!next && record.owner === null) return { kind: 'known' }
  if (next && record.owner === null && record.history.length === 0) {
    const isFirstUnheard = ranked.slice(0, ranked.indexOf(next)).some(({ health }) => health === null)
    const forMs = unsettledMs(next, firstReportMs)
    if (isFirstUnheard && forMs > 0) return { kind: 'held', forMs }
  }
  return moves(record, next ?? null, nowMs, outageUntil(record, lastWellAtMs, nowMs))
}

/** Where nobody has had the address meanwhile, the outage began with the one before. */
function outageUntil({ owner, history }: VipRecord, lastWellAtMs: number | null, nowMs: number): number | null {
  const last = history.at(-1)
  const beganAtMs = owner ? lastWellAtMs : last?.to === null && last.outageMs !== null ? last.atMs - last.outageMs : null
  return beganAtMs === null ? null : Math.max(0, nowMs - beganAtMs)
}

function moves(record: VipRecord, to: Member | null, atMs: number, outageMs: number | null): Decision {
  const from = record.owner?.port ?? null
  const owner: Owner | null = to && { port: to.port, host: to.host, mac: to.mac, sinceMs: from === to.port ? record.owner!.sinceMs : atMs }
  const drift = from === (to?.port ?? null) ? [] : [{ from, to: to?.port ?? null, atMs, outageMs }]
  return { kind: 'moves', record: { owner, claimants: [], history: [...record.history, ...drift].slice(-keptDrifts) } }
}
