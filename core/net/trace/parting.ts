import type { TraceDrop, TraceHop, TraceResult } from '../../model/trace.ts'
import { actionsOf } from '../openflow/tables.ts'
import { parseMatch } from '../openflow/match.ts'
import type { Flow } from '../openflow/flow.ts'

/** Where two traces of the same packet part. */
export interface Parting {
  n: number
  leg: TraceHop['leg']
  host: string
  device: string
  /** What the flows there are, if it is by flows that they part. */
  reason: 'flow-missing' | 'flow-altered' | null
  /** `kind/name` of the object whose flows are missing or altered, as far as it can be told. */
  object: string | null
  message: string
}

/** The object that a flow was made from, by its cookie, as `kind/name`; null: of no object. Undefined: nobody declared such a flow. */
export type OwnerOf = (cookie: string) => string | null | undefined

/** Whether two traces say the same of a packet. */
export function agree(one: TraceResult, other: TraceResult): boolean {
  return one.verdict === other.verdict && one.drop?.reason === other.drop?.reason && one.drop?.object === other.drop?.object
}

/**
 * The first hop at which what is to be and what is part, for two traces of the same frame that do not agree. It is held flow against flow
 * that the packet meets; the object is that of the first flow which is another.
 */
export function partingOf(expected: TraceResult, live: TraceResult, ownerOf: OwnerOf): Parting {
  const length = Math.max(expected.hops.length, live.hops.length)
  for (let index = 0; index < length; index++) {
    const [to, is] = [expected.hops[index], live.hops[index]]
    const place = is ?? to!
    const { n, leg, host, device } = place
    const there = to && is && to.host === is.host && to.device === is.device
    const differs = there ? flowsPart(to.flows ?? [], is.flows ?? [], ownerOf) : null
    if (there && differs) {
      const object = differs.object ?? `forwarding/${host}`
      return { n, leg, host, device, reason: differs.reason, object, message: flowWords(differs.reason, place, object, to, is) }
    }
    if (there && to.action === is.action) continue
    return { n, leg, host, device, reason: null, object: live.drop?.object ?? null, message: hopWords(to, is) }
  }
  // The same way, and yet not the same fate: it is where it was last seen.
  const last = live.hops.findLast((hop) => hop.evidence === 'seen') ?? expected.hops.at(-1)!
  const { host, device } = live.drop ?? last
  return {
    ...{ n: last.n, leg: last.leg, host, device, reason: null, object: live.drop?.object ?? null },
    message: `It is to be ${words(expected)} and is ${words(live)}.`,
  }
}

/**
 * A live trace in which a packet is dropped after it has met other flows than it should is dropped for these, whatever it came to in the
 * end.
 */
export function blameParting(live: TraceResult, parting: Parting | null): TraceResult {
  if (!parting?.reason || !live.drop) return live
  const { host, device, reason, object, message } = parting
  const came = `${live.drop.reason} at ${live.drop.device} of ${live.drop.host}`
  const hint = `${message} By that it comes to ${came}. The agent of ${host} puts it right by itself within seconds; see its events for what it found.`
  return { ...live, drop: { host, device, reason, object, hint } }
}

/** The first flow that is another; null where the packet meets the same ones, or the one list ends where the other goes on by other bytes. */
function flowsPart(
  expected: readonly Flow[],
  found: readonly Flow[],
  ownerOf: OwnerOf,
): { reason: 'flow-missing' | 'flow-altered'; object: string | null } | null {
  for (let at = 0; at < Math.max(expected.length, found.length); at++) {
    const [to, is] = [expected[at], found[at]]
    if (to && is && sameRule(to, is) && sameText(to, is)) continue
    const object = (to && ownerOf(to.cookie)) ?? (is && ownerOf(is.cookie)) ?? null
    // It meets nothing, or another of the declared flows: the one that it should meet is not there.
    const missing = !is || (to !== undefined && !sameRule(to, is) && ownerOf(is.cookie) !== undefined)
    return { reason: missing ? 'flow-missing' : 'flow-altered', object }
  }
  return null
}

/** Whether two flows have the same place and match, however they are written. */
function sameRule(a: Flow, b: Flow): boolean {
  return a.table === b.table && a.priority === b.priority && (a.match === b.match || matchText(a) === matchText(b))
}

function sameText(a: Flow, b: Flow): boolean {
  return a.actions === b.actions || JSON.stringify(actionsOf(a.actions)) === JSON.stringify(actionsOf(b.actions))
}

function matchText({ match }: Flow): string {
  const words = parseMatch(match).map(({ word, mask, value }) => `${word} ${mask} ${value}`)
  return words.sort().join(',')
}

function flowWords(reason: 'flow-missing' | 'flow-altered', { host, device }: TraceHop, object: string, to: TraceHop, is: TraceHop): string {
  const what = `Flows of ${object.replace('/', ' ')} are ${reason === 'flow-missing' ? 'missing' : 'altered or covered'} at ${device} of ${host}.`
  return to.action === is.action ? what : `${what} It is to be ${to.action} there and is ${is.action}.`
}

function hopWords(to: TraceHop | undefined, is: TraceHop | undefined): string {
  const at = is ?? to!
  if (!to) return `It goes further than it should, to ${at.device} of ${at.host}.`
  if (!is) return `It does not get to ${at.device} of ${at.host}, where it should.`
  return `At ${at.device} of ${at.host} it is to be ${to.action} and is ${is.action}.`
}

function words({ verdict, drop }: { verdict: string; drop: TraceDrop | null }): string {
  return drop ? `${verdict} (${drop.reason})` : verdict
}
