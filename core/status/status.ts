import type { Status } from '../contract/desktop/inventory.ts'
import { planes, type EntityDocs, type EntityKind, type LiveState, type Plane } from '../model/index.ts'
import { Freshness, type ReportedEntity, type Source } from './freshness.ts'
import { summarise, type SummaryState } from './summary.ts'

export interface StatusInput {
  /** The context's name for the cluster, used until an agent tells. */
  name: string
  entities: Iterable<ReportedEntity>
  sources: Iterable<Source>
  /** The laptop's wall clock. */
  nowMs: number
}

type HostStatus = Status['hosts'][number]

/**
 * What is known of a cluster now. Nothing is called `up` or `down` on stale data:
 *
 * - A host is `up` when any part of its agent answered us lately or a fresh peer hears it on any plane; `down` when fresh peers say so
 *   and none hears it; otherwise `unknown`.
 * - A cell (how a host hears a peer on a plane) is what that host's cluster module says, `unknown` once that module is stale. There is no
 *   exception for hosts that are down: what a host that answers nobody still hears is not known.
 * - Leader and quorum come from fresh reporters alone. Of those with quorum the highest leadership epoch wins, which is the store's own
 *   order of events; among equals the one heard last.
 * - Versions, the cluster's name and its address are settings, not states: the last known ones are shown whatever their age.
 */
export function statusOf(input: StatusInput): Status {
  const sources = [...input.sources]
  const freshness = new Freshness(sources, input.nowMs)
  const byKind = groupByKind(input.entities)
  const paths = byKind.path.map(({ doc, reporter }) => ({
    ...doc,
    state: freshness.isFresh(reporter, 'cluster') ? doc.state : ('unknown' as LiveState),
  }))
  const pathsTo = Map.groupBy(paths, (path) => path.to)
  const pathsFrom = Map.groupBy(paths, (path) => path.from)
  const modules = Map.groupBy(byKind.module, ({ doc }) => doc.host)
  const names = hostNames(byKind, sources, freshness)
  const hosts = names.map((name): HostStatus => ({
    name,
    state: hostState(name, pathsTo.get(name) ?? [], freshness),
    planes: planesOf(pathsFrom.get(name) ?? [], new Set(names)),
    agent: agentOf(name, modules.get(name) ?? [], freshness),
  }))
  return { cluster: clusterOf(input.name, byKind.cluster, freshness), hosts, asOf: new Date(input.nowMs).toISOString() }
}

/**
 * How a host fares on a plane, from both ends: what it hears of its peers and what they hear of it. A host whose link is cut is `down`
 * there, its peers `degraded`; `unknown` when nobody fresh tells.
 */
export function planeState(status: Pick<Status, 'hosts'>, host: string, plane: Plane): SummaryState {
  const states: LiveState[] = []
  for (const row of status.hosts) {
    const cells = row.planes[plane]
    if (!cells) continue
    if (row.name === host) states.push(...Object.values(cells))
    else if (Object.hasOwn(cells, host)) states.push(cells[host]!)
  }
  return summarise(states)
}

type Reported<K extends EntityKind> = { reporter: string; id: string; doc: EntityDocs[K] }
type ByKind = { [K in 'host' | 'path' | 'cluster' | 'module']: Reported<K>[] }

function groupByKind(entities: Iterable<ReportedEntity>): ByKind {
  const byKind: ByKind = { host: [], path: [], cluster: [], module: [] }
  for (const entity of entities) {
    if (Object.hasOwn(byKind, entity.kind)) (byKind[entity.kind as keyof ByKind] as unknown[]).push(entity)
  }
  return byKind
}

/** Members by the best reporter's copy of the store, and whoever answers us though the store does not name it. In natural order. */
function hostNames(byKind: ByKind, sources: Source[], freshness: Freshness): string[] {
  const quorate = new Set(byKind.cluster.filter(({ doc }) => doc.quorum).map(({ reporter }) => reporter))
  const rank = (reporter: string): [number, number, number] => {
    const fresh = freshness.isFresh(reporter, 'cluster')
    return [Number(fresh && quorate.has(reporter)), Number(fresh), freshness.seenAtMs(reporter, 'cluster') ?? -1]
  }
  const best = [...new Set(byKind.host.map(({ reporter }) => reporter))].sort((a, b) => compareRank(rank(b), rank(a)))[0]
  const names = new Set(byKind.host.filter(({ reporter }) => reporter === best).map(({ doc }) => doc.name))
  for (const source of sources) if (freshness.isFresh(source.host)) names.add(source.host)
  return [...names].sort(naturalOrder.compare)
}

const naturalOrder = new Intl.Collator('en', { numeric: true })

function compareRank(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) if (value !== b[i]) return value - b[i]!
  return 0
}

type KnownPath = EntityDocs['path']

function hostState(name: string, pathsToIt: KnownPath[], freshness: Freshness): LiveState {
  if (freshness.isFresh(name)) return 'up'
  const heard = summarise(pathsToIt.map((path) => path.state))
  return heard === 'degraded' ? 'up' : heard
}

function planesOf(pathsFromIt: KnownPath[], known: ReadonlySet<string>): HostStatus['planes'] {
  const found: HostStatus['planes'] = {}
  for (const plane of planes) {
    const cells = pathsFromIt.filter((path) => path.plane === plane && known.has(path.to)).sort((a, b) => naturalOrder.compare(a.to, b.to))
    if (cells.length > 0) found[plane] = Object.fromEntries(cells.map((path) => [path.to, path.state]))
  }
  return found
}

function agentOf(name: string, own: Reported<'module'>[], freshness: Freshness): HostStatus['agent'] {
  const fresh = freshness.isFresh(name, 'supervisor')
  return {
    version: own.find(({ doc }) => doc.name === 'supervisor')?.doc.version ?? null,
    modules: Object.fromEntries(own.filter(({ doc }) => doc.name !== 'supervisor').map(({ doc }) => [doc.name, fresh ? doc.state : 'unknown'])),
  }
}

function clusterOf(contextName: string, reports: Reported<'cluster'>[], freshness: Freshness): Status['cluster'] {
  const seenAtMs = ({ reporter }: Reported<'cluster'>): number => freshness.seenAtMs(reporter, 'cluster') ?? -1
  const latest = [...reports].sort((a, b) => seenAtMs(b) - seenAtMs(a))[0]
  const quorate = reports.filter(({ reporter, doc }) => doc.quorum && freshness.isFresh(reporter, 'cluster'))
  const authority = quorate.sort((a, b) => compareRank([b.doc.leaderEpoch, seenAtMs(b)], [a.doc.leaderEpoch, seenAtMs(a)]))[0]
  return {
    name: latest?.doc.name ?? contextName,
    clusterIp: latest?.doc.clusterIp ?? null,
    leader: authority?.doc.leader ?? null,
    quorum: authority !== undefined,
  }
}
