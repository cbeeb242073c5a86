import type { TraceDrop, TraceHop, TraceResult } from '../../../core/model/trace.ts'
import type { Language, Messages } from '../i18n/i18n.svelte.ts'
import { parseRef } from '../state/place.ts'
import type { NetworkView } from '../network/view.ts'
import type { Mark } from '../ui/StateMark.svelte'
import { countCopies } from './copies.ts'
import { detailText } from './detail.ts'
import { hasPorts, type TraceForm } from './request.ts'

/** What was sent and whereto, in a few words: `tcp port 22 into db`. */
export function packetText(form: Pick<TraceForm, 'proto' | 'dport' | 'to'>, view: Pick<NetworkView, 'port' | 'vip'>, m: Messages): string {
  const proto = /^\d+$/.test(form.proto) ? m.net.protocol(Number(form.proto)) : form.proto
  const network = (view.port.get(form.to) ?? view.vip.get(form.to))?.network
  const what = hasPorts(form.proto) && form.dport !== '' ? m.trace.portOf(proto, form.dport) : proto
  return network === undefined ? m.trace.packetTo(what, form.to) : m.trace.packetInto(what, network)
}

/** Names an object as `ACL no-ssh`, with the word for its kind. */
export function objectText(object: string | null, m: Messages): string {
  const ref = object === null ? undefined : parseRef(object)
  if (!ref) return ''
  const kind = m.kind[ref.kind as keyof typeof m.kind] ?? ref.kind
  return m.trace.named(kind, ref.id.replace('--', ' – '))
}

/** What was done at a hop, in a sentence: `h2 copies it to 3 hosts: h1, h3, h4`. */
export function hopText({ host, detail, replication }: Pick<TraceHop, 'host' | 'detail' | 'replication'>, m: Messages, language: Language): string {
  if (!replication) return detailText(detail, language)
  const sentence = m.trace.replicates(host, replication.copies)
  return replication.members.length === 0 ? sentence : m.trace.about(sentence, replication.members.join(language === 'zh' ? '、' : ', '))
}

/** Where a packet was dropped and by what, in a sentence: `Dropped on h3 by ACL no-ssh`. */
export function dropText(drop: Pick<TraceDrop, 'host' | 'device' | 'reason' | 'object'>, m: Messages): string {
  return m.trace.drop[drop.reason](drop.host, drop.device, objectText(drop.object, m))
}

/** What became of the packet, in a sentence, without the verdict's own word. */
export function verdictText({ verdict, drop, hops, copies }: Pick<TraceResult, 'verdict' | 'drop' | 'hops' | 'copies'>, m: Messages): string {
  if (verdict === 'dropped') return drop ? dropText(drop, m) : ''
  if (verdict === 'delivered' && isAnswered(hops)) return m.trace.answered
  if (verdict === 'delivered') return copies ? m.trace.copiesArrived(countCopies(copies).delivered, copies.length) : m.trace.arrived
  const last = hops.at(-1)
  return last ? m.trace.unknownAfter(last.host, last.device) : m.trace.unknownAtAll
}

const marks = { delivered: 'up', dropped: 'error', unknown: 'unknown' } as const

/** What became of the packet, in shape and word. One to many of which a copy was dropped came in part, unless the answer that it is for came back. */
export function verdictMark(
  { verdict, hops, copies = [] }: Pick<TraceResult, 'verdict' | 'hops' | 'copies'>,
  m: Messages,
): { state: Mark; word: string } {
  const inPart = verdict === 'delivered' && !isAnswered(hops) && countCopies(copies).dropped > 0
  return inPart ? { state: 'degraded', word: m.trace.inPart } : { state: marks[verdict], word: m.trace.verdict[verdict] }
}

const isAnswered = (hops: readonly TraceHop[]): boolean => hops.some(({ leg }) => leg === 'return')
