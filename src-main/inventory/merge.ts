import { Freshness, type Source } from '../../core/status/freshness.ts'

/** A document and the host whose agent reported it. */
export interface Report {
  kind: string
  id: string
  atMs: number
  reporter: string
  doc: Record<string, unknown>
}

/** Kinds that every agent copies out of the cluster's store. */
export const copiedKinds: ReadonlySet<string> = new Set(['cluster', 'host', 'member'])

/** Kinds of the virtual network, which the host that leads the cluster reports: what a former leader said before counts no more. */
const overlayKinds: ReadonlySet<string> = new Set([
  ...['overlay', 'vpc', 'network', 'router', 'peering', 'acl', 'port', 'networkHost', 'vip', 'vipState'],
])

/**
 * One document an object out of what several reporters say. Of hosts and members the copy of one reporter holds as a whole, so that
 * what left the cluster is not kept alive by an agent that missed it: of those who reach a majority the one heard last. The cluster
 * itself is what the reporter with the latest leadership says, the virtual network what the one with its latest revision says. Anything else has one reporter; a second one counts when it is later.
 */
export function mergeReports<R extends Report>(all: Iterable<R>, sources: Iterable<Source>, nowMs: number): R[] {
  const reports = [...all]
  const freshness = new Freshness(sources, nowMs)
  const clusterDocs = new Map(reports.filter(({ kind }) => kind === 'cluster').map(({ reporter, doc }) => [reporter, doc]))
  const rank = (reporter: string): number[] => {
    const fresh = freshness.isFresh(reporter, 'cluster')
    const quorum = clusterDocs.get(reporter)?.quorum === true
    // Among fresh ones the order stays what it is, so that the answer does not waver from frame to frame.
    return [Number(fresh && quorum), fresh ? Infinity : (freshness.seenAtMs(reporter, 'cluster') ?? -1)]
  }
  const best = (kind: string) => {
    const reporters = [...new Set(reports.filter((report) => report.kind === kind).map(({ reporter }) => reporter))]
    return reporters.map((reporter) => ({ reporter, rank: rank(reporter) })).sort((a, b) => compare(b.rank, a.rank))[0]?.reporter
  }
  const overlay = latestOverlay(reports, rank)
  const authority: Record<string, string | undefined> = { host: best('host'), member: best('member'), cluster: latestLeadership(reports, rank) }

  const merged = new Map<string, R>()
  for (const report of reports) {
    if (copiedKinds.has(report.kind) && authority[report.kind] !== report.reporter) continue
    if (overlayKinds.has(report.kind) && overlay !== report.reporter) continue
    const key = `${report.kind}/${report.id}`
    const other = merged.get(key)
    if (!other || other.atMs <= report.atMs) merged.set(key, report)
  }
  return [...merged.values()]
}

function latestLeadership(reports: Report[], rank: (reporter: string) => number[]): string | undefined {
  const ranked = reports
    .filter(({ kind }) => kind === 'cluster')
    .map(({ reporter, doc }) => {
      const [quorate, seenAtMs] = rank(reporter)
      return { reporter, rank: [quorate!, Number(seenAtMs === Infinity), Number(doc.leaderEpoch) || 0, seenAtMs!] }
    })
  return ranked.sort((a, b) => compare(b.rank, a.rank))[0]?.reporter
}

/** Who reports the latest revision of the virtual network; of several the one that was heard last. */
function latestOverlay(reports: Report[], rank: (reporter: string) => number[]): string | undefined {
  const ranked = reports
    .filter(({ kind }) => kind === 'overlay')
    .map(({ reporter, doc }) => ({ reporter, rank: [Number(doc.revision) || 0, ...rank(reporter)] }))
  return ranked.sort((a, b) => compare(b.rank, a.rank))[0]?.reporter
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) if (value !== b[index]) return value < b[index]! ? -1 : 1
  return 0
}
