import type { TraceCopy, TraceHop, TraceResult } from '../../model/trace.ts'
import { parseFrame } from '../packet/parse.ts'
import type { GuestPort } from './guest-system.ts'
import { HopList, type HopDraft } from './hops.ts'
import { describe } from './packets.ts'
import type { Ending, Way } from './passage.ts'

/** That a guest gets a frame. */
export function receivedHop({ host, port: { name } }: GuestPort, frame: Uint8Array): HopDraft {
  const packet = parseFrame(frame)
  const detail = packet ? describe(packet) : ''
  return { kind: 'virtual', host, device: name, in: 'br-int', action: 'received', detail, objects: [`port/${name}`] }
}

/** Why nobody knows what became of a packet that came to a host without our agent. */
export function leftLimit(host: string): string {
  return `It came to ${host}, which has no agent: what becomes of it there cannot be observed.`
}

/** All copies by how they ended; the first is the one that is followed, and its hops have their numbers. `number`: gives a hop its number. */
export function copiesOf(ways: readonly Way[], number: (hop: TraceHop, n: number) => TraceHop): TraceCopy[] {
  const [followed] = ways
  return ways.map((way) => {
    const { hops, ending, host, port } = way
    const parting = hops.findIndex((hop, index) => hop !== followed!.hops[index])
    const shared = parting < 0 ? hops.length : parting
    const after = hops[shared - 1]!.n
    const own = hops.slice(shared)
    if (way !== followed && ending.type === 'delivered') own.push(new HopList().add(receivedHop(ending.to, ending.frame)))
    return { host, port, after, hops: own.map((hop, index) => number(hop, after + 1 + index)), ...fateOf(ending, host) }
  })
}

/** The hops of the copy that a trace follows and, behind them, those of all others. */
export function everyHop({ hops, copies = [] }: Pick<TraceResult, 'hops' | 'copies'>): TraceHop[] {
  return [...hops, ...copies.flatMap((copy) => copy.hops)]
}

function fateOf(ending: Ending, host: string): Pick<TraceCopy, 'verdict' | 'drop' | 'limit'> {
  if (ending.type === 'dropped') return { verdict: 'dropped', drop: ending.drop, limit: null }
  if (ending.type === 'left') return { verdict: 'unknown', drop: null, limit: leftLimit(host) }
  return { verdict: 'delivered', drop: null, limit: null }
}
