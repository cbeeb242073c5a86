import type { ReachQuery } from '../state/place.ts'

/** What is asked of every pair, as it is chosen: a protocol, and of TCP and UDP the port. */
export interface Probe {
  proto: (typeof probeProtocols)[number]
  dport: number | null
}

/** Protocols of which the question makes sense between any two ports. */
export const probeProtocols = ['icmp', 'tcp', 'udp'] as const

/** What a protocol is asked for unless something else is said. */
export const usualPort = { icmp: null, tcp: 443, udp: 53 } as const

/** Reads `tcp/22` or `icmp`; anything else is a ping. */
export function parseProbe(text: string | undefined): Probe {
  const [, proto, port] = /^(icmp|tcp|udp)(?:\/(\d{1,5}))?$/.exec(text ?? '') ?? []
  const known = probeProtocols.find((each) => each === proto) ?? 'icmp'
  if (known === 'icmp') return { proto: known, dport: null }
  return { proto: known, dport: port !== undefined && Number(port) <= 65_535 ? Number(port) : usualPort[known] }
}

/** The inverse of `parseProbe`. */
export const probeText = ({ proto, dport }: Probe): string => (dport === null ? proto : `${proto}/${dport}`)

/** As people say it: `TCP 22`. */
export const probeName = ({ proto, dport }: Probe): string => (dport === null ? proto.toUpperCase() : `${proto.toUpperCase()}\u00a0${dport}`)

export const queryOf = (vpc: string, probe: Probe): ReachQuery => ({ vpc, probe: probeText(probe) })

interface Match {
  proto?: unknown
  dport?: unknown
}

/** What rules tell apart, as probes: each protocol and port that one of them names, of a range both ends, in order, without repetition. */
export function probesOf(matches: readonly (Match | null | undefined)[]): Probe[] {
  const found = new Map<string, Probe>()
  for (const match of matches) {
    for (const probe of match ? probesOfMatch(match) : []) found.set(probeText(probe), probe)
  }
  return [...found.values()]
}

function probesOfMatch({ proto, dport }: Match): Probe[] {
  if (proto === 'icmp') return [{ proto, dport: null }]
  if (proto !== 'tcp' && proto !== 'udp') return []
  const ports = [dport].flat().filter((port) => typeof port === 'number')
  return (ports.length > 0 ? ports : [usualPort[proto]]).map((port) => ({ proto, dport: port }))
}
