import type { SwitchReading } from '../../model/switch-reading.ts'
import type { TraceHop, TraceResult } from '../../model/trace.ts'
import { macAt } from '../packet/bytes.ts'
import { hintOf } from './hints.ts'
import type { World } from './world.ts'

/** The way of a traced packet through one switch. */
export interface SwitchPassage {
  /** Number of its hop. */
  n: number
  switch: string
  /** The hosts that it comes from and goes to. */
  hosts: readonly [string, string]
  /** The ports that it should come in and go out by, where a host's NIC is at their other end: then also that link, by both its ends. */
  in: SwitchLink | null
  out: SwitchLink | null
  /** MACs of the frame on the wire: the outer ones of what is in a tunnel. */
  src: string
  dst: string
}

interface SwitchLink {
  port: string
  link: string
}

/** What a switch said before a packet was sent, and after it had been seen. */
export interface SwitchReadings {
  before: SwitchReading
  after: SwitchReading
}

/** An address that has not been learned at any port, or counters that have not moved. */
export type Lack = 'address' | 'count'

/** What the words of a switch come to for one passage. */
interface Finding {
  in: string | null
  out: string | null
  /** It has learned the sender at the port that the packet should come in by, and the receiver, if at all, at the one by which it should go out. */
  passed: boolean
  /** What may still come where nothing is against that: many switches read their counters every few seconds. */
  lacks: Lack | null
  /** The one that has no carrier. */
  down: SwitchLink | null
  /** What it says, e.g. `tor1 learned 0a:… at swp1`. */
  words: string
  /** The same for who reads where the packet went: its ports, where all is as it should be. */
  detail(computed: string): string
}

/** Which ways a packet should take through switches, by a computed path. `frame`: the one that is sent. */
export function switchPassages(world: World, { hops }: TraceResult, frame: Uint8Array): SwitchPassage[] {
  const isHostNic = (hop: TraceHop): boolean => hop.kind === 'physical' && world.hosts.has(hop.host)
  return hops.flatMap((hop, index): SwitchPassage[] => {
    if (!isSwitch(hop)) return []
    const nearAt = hops.slice(0, index).findLastIndex(isHostNic)
    const near = hops[nearAt]
    const far = hops.slice(index).find(isHostNic)?.host ?? hostAt(world, hops.slice(index).findLast(isSwitch)!)
    if (!near || far === undefined) return []
    const [src, dst] = outerMacs(
      world,
      { near, before: hops[nearAt - 1], far, beyond: hops.slice(index).find((after) => after.host === far && !isHostNic(after)) },
      frame,
    )
    const end = (host: string, port: string | null): SwitchLink | null =>
      port === null ? null : { port, link: `link/${host}/${world.hosts.get(host)?.nic?.name ?? 'tenant'}--${hop.host}/${port}` }
    return [{ n: hop.n, switch: hop.host, hosts: [near.host, far], in: end(near.host, hop.in), out: end(far, hop.out), src, dst }]
  })
}

function isSwitch({ action }: TraceHop): boolean {
  return action === 'switched'
}

/** The host whose cable ends where a packet leaves a switch. */
function hostAt({ hosts }: World, { host, out }: TraceHop): string | undefined {
  for (const [name, { cable }] of hosts) if (cable?.switch === host && cable.port === out) return name
  return undefined
}

/** A wire, with the hops on the hosts before and behind it. */
interface Wire {
  near: TraceHop
  before: TraceHop | undefined
  far: string
  beyond: TraceHop | undefined
}

/** Tunnels and replicators have MACs of their own; what a host itself sends has those of the frame. */
function outerMacs({ index }: World, { near, before, far, beyond }: Wire, frame: Uint8Array): [string, string] {
  if (near.in === 'host') {
    const [dst, src] = [macAt(frame, 0), macAt(frame, 6)]
    return near.leg === 'forward' ? [src, dst] : [dst, src]
  }
  const macOf = (host: string, inside: TraceHop | undefined): string => {
    const node = inside?.action === 'replicated' ? index.nodes.find((one) => one.host === host)?.replicator : undefined
    return (node ?? index.ends.get(host))?.mac ?? ''
  }
  return [macOf(near.host, before), macOf(far, beyond)]
}

/** Whether it is worth to ask a switch again, and for what: counters are, only where a packet was lost and nobody knows where. */
export function lackOf(passage: SwitchPassage, readings: SwitchReadings, { verdict }: Pick<TraceResult, 'verdict'>): Lack | null {
  return findingOf(passage, readings, verdict === 'unknown').lacks
}

/**
 * The result of a live trace with what switches say of it. A switch's hop between two that taps saw is `seen` where the switch says so, too:
 * where it has learned an address is where the last packet from there came in, which is this one or a later one. Beyond the last place seen its counters may be of other packets: there its words go where the verdict is explained, and only a port
 * without a carrier is a verdict.
 */
export function withSwitchEvidence(
  result: TraceResult,
  passages: readonly SwitchPassage[],
  readings: ReadonlyMap<string, SwitchReadings>,
): TraceResult {
  const findings = new Map(
    passages.flatMap((passage) => {
      const read = readings.get(passage.switch)
      return read ? [[passage.n, findingOf(passage, read, result.verdict === 'unknown')] as const] : []
    }),
  )
  const lastSeen = result.hops.findLastIndex(({ evidence }) => evidence === 'seen')
  const hops = result.hops.map((hop, index): TraceHop => {
    const finding = findings.get(hop.n)
    if (!finding) return hop
    const evidence = finding.passed && index < lastSeen ? 'seen' : hop.evidence
    return { ...hop, evidence, in: finding.in, out: finding.out, detail: finding.detail(hop.detail) }
  })
  const beyond = result.hops.slice(lastSeen + 1)
  const firstOther = beyond.findIndex((hop) => !isSwitch(hop))
  const asked = beyond.slice(0, firstOther < 0 ? undefined : firstOther).flatMap(({ n, host }) => {
    const finding = findings.get(n)
    return finding ? [{ n, host, finding }] : []
  })
  const cut = asked.find(({ finding }) => finding.down)
  const said = (cut ? [cut] : asked).map(({ finding }) => ` By SNMP, ${finding.words}.`).join('')
  const { drop, verdict, limit } = result
  if (drop && isOfWire(drop)) return { ...result, hops, drop: { ...drop, hint: drop.hint + said } }
  if (verdict !== 'unknown') return { ...result, hops }
  if (!cut) return { ...result, hops, limit: (limit ?? '') + said }
  const facts = { reason: 'link-down' as const, host: cut.host, device: cut.host, object: cut.finding.down!.link }
  return {
    ...result,
    hops: hops.filter((hop) => hop.n <= cut.n),
    verdict: 'dropped',
    drop: { ...facts, hint: hintOf({ ...facts, packet: '' }) + said },
    limit: null,
  }
}

/** Reasons of drops on the way between two hosts, of which switches know something. */
function isOfWire({ reason }: { reason: string }): boolean {
  return reason === 'link-down' || reason === 'link-silent' || reason === 'host-down'
}

/** `lost`: the packet was, and nobody knows where. */
function findingOf({ switch: name, in: inLink, out: outLink, src, dst }: SwitchPassage, { before, after }: SwitchReadings, lost: boolean): Finding {
  const learnedAt = (mac: string): string | null => after.learned.find((one) => one.mac === mac)?.port ?? null
  const [srcAt, dstAt] = [learnedAt(src), learnedAt(dst)]
  const [into, out] = [inLink?.port ?? otherThan(srcAt, outLink), outLink?.port ?? otherThan(dstAt, inLink)]
  const down = [inLink, outLink].find((link) => link && after.ports.some(({ port, state }) => port === link.port && state === 'down')) ?? null
  const counted = { in: growth(before, after, into, 'inPackets'), out: growth(before, after, out, 'outPackets') }
  const passed = !down && srcAt !== null && srcAt === into && (dstAt === null || dstAt === out)
  const moved = counted.in > 0 && counted.out > 0
  // Where they were not waited for, counters that stand still say nothing.
  const counts = moved || (lost && into !== null && out !== null) ? [`counted ${packets(counted.in)} in and ${counted.out} out`] : []
  const learned = [`${name} learned ${src} ${placeWords(srcAt, into)}`, `${dst} ${placeWords(dstAt, out)}`]
  const words = (down ? [`port ${down.port} of ${name} is down`] : [...learned, ...counts]).join(', ')
  const ports = [`in at ${into}`, ...(out === null ? [] : [`out at ${out}`]), ...counts].join(', ')
  const detail = (computed: string): string => `${passed ? ports : `${computed}, ${words}`} (SNMP)`
  const lacks = down ? null : srcAt === null ? 'address' : lost && passed && !moved ? 'count' : null
  return { in: into, out, passed, lacks, down, words, detail }
}

/** A port where packets of the other direction come in cannot be where they go out by. */
function otherThan(port: string | null, link: SwitchLink | null): string | null {
  return port === link?.port ? null : port
}

/** How many packets more a port has counted; 0 also where it does not count, or began anew. */
function growth(before: SwitchReading, after: SwitchReading, name: string | null, counter: 'inPackets' | 'outPackets'): number {
  const [then, now] = [before, after].map(({ ports }) => ports.find(({ port }) => port === name)?.[counter] ?? null)
  return then == null || now == null ? 0 : Math.max(0, now - then)
}

function placeWords(at: string | null, expected: string | null): string {
  if (at === null) return 'at no port'
  return expected === null || at === expected ? `at ${at}` : `at ${at} instead of ${expected}`
}

function packets(count: number): string {
  return count === 1 ? '1 packet' : `${count} packets`
}
