import type { BroadcastDoc, BroadcastNodeDoc, BroadcastWatcher, NetworkBroadcast } from '../contract/desktop/broadcast.ts'
import type { BroadcastHost, BroadcastNode } from '../model/broadcast.ts'
import type { LiveState } from '../model/common.ts'
import type { Network, NetworkHost, Port, TunnelEnd } from '../model/network.ts'
import { broadcastNodes, clusterEnd, nodesFor } from '../net/broadcast/nodes.ts'

export interface BroadcastInput {
  networks: readonly Network[]
  ports: readonly Pick<Port, 'network' | 'host'>[]
  /** What is declared of hosts. */
  hosts: readonly NetworkHost[]
  /** Where the tunnels of hosts with our agent end. */
  ends: ReadonlyMap<string, TunnelEnd>
  /** What nodes report. */
  reports: readonly BroadcastNode[]
  /** What hosts report. */
  watchers: readonly BroadcastHost[]
  /** Of the declared set of nodes; null: not known. */
  epoch: number | null
  /** Whether what a host reports of its network is of now. */
  liveOf: (host: string) => LiveState
}

/** The broadcast cluster as it is declared, with what its nodes report. Counts are sums over nodes. */
export function broadcastOf(input: BroadcastInput): BroadcastDoc {
  const { networks, hosts, ends, reports, watchers, epoch, liveOf } = input
  const nodes = broadcastNodes({ hosts: [...hosts] }, ends)
  const reportOf = new Map(reports.map((report) => [report.host, report]))
  const shown = nodes.map(({ host, replicator }) => nodeDoc(host, replicator.ip, reportOf.get(host), liveOf(host)))
  return {
    clusterAddress:
      nodes.length === 0
        ? null
        : {
            ip: clusterEnd(nodes).ip,
            heldBy: shown.filter(({ holdsClusterAddress, state }) => holdsClusterAddress && state !== 'down').map(({ host }) => host),
          },
    epoch,
    nodes: shown,
    hosts: naturally([...ends.keys()]).map((host) =>
      watcherDoc(
        host,
        watchers.find((known) => known.host === host),
        liveOf(host),
      ),
    ),
    networks: networks.map((network) => networkDoc(network, nodesFor(network.vni, nodes)[0]?.host ?? null, input)),
  }
}

function nodeDoc(host: string, replicator: string, report: BroadcastNode | undefined, live: LiveState): BroadcastNodeDoc {
  return {
    ...{ host, replicator },
    state: nodeState(report, live),
    way: report?.way ?? null,
    notFasterBecause: report?.notFasterBecause ?? null,
    problems: report?.problems ?? [],
    holdsClusterAddress: report?.holdsClusterAddress ?? false,
    copiesPerSecond: live === 'up' ? sum(report?.networks ?? [], ({ copiesPerSecond }) => copiesPerSecond) : 0,
    membershipWrites: report?.membershipWrites ?? 0,
    answeredArp: report?.answeredArp ?? 0,
    answeredBfd: report?.answeredBfd ?? 0,
    dropped: report?.droppedInAll ?? {},
  }
}

function nodeState(report: BroadcastNode | undefined, live: LiveState): BroadcastNodeDoc['state'] {
  if (live !== 'up') return live
  if (!report) return 'unknown'
  if (report.way === null) return 'down'
  return report.way === 'packet' || report.problems.length > 0 ? 'degraded' : 'up'
}

function watcherDoc(host: string, report: BroadcastHost | undefined, live: LiveState): BroadcastWatcher {
  return {
    host,
    watches: (report?.watches ?? []).map(({ host: node, as, up, flaps }) => ({
      ...{ host: node, as, flaps },
      state: live !== 'up' ? 'unknown' : up ? 'up' : 'down',
    })),
    flowsChanged: report?.flowsChanged ?? null,
  }
}

function networkDoc(
  { name, vni, broadcast }: Network,
  first: string | null,
  { ports, hosts, ends, reports, liveOf }: BroadcastInput,
): NetworkBroadcast {
  const own = reports.flatMap((report) =>
    report.networks.flatMap((replication) => (replication.network === name ? [{ node: report.host, ...replication }] : [])),
  )
  const portsOn = Map.groupBy(
    ports.filter(({ network }) => network === name),
    ({ host }) => host,
  )
  const listed = own.flatMap(({ members }) => members)
  const ipOf = (host: string): string | null =>
    listed.find((member) => member.host === host)?.ip ?? ends.get(host)?.ip ?? hosts.find((known) => known.name === host)?.tunnelEnd?.ip ?? null
  const names = [...new Set([...portsOn.keys(), ...listed.map(({ host }) => host)])]
  return {
    ...{ name, vni, mode: broadcast },
    node: broadcast === 'source' ? null : first,
    members: naturally(names).map((host) => ({
      ...{ host, ip: ipOf(host), ports: portsOn.get(host)?.length ?? 0 },
      nodes: own.filter(({ members }) => members.some((member) => member.host === host)).map(({ node }) => node),
    })),
    frames: sum(own, ({ frames }) => frames),
    copies: sum(own, ({ copies }) => copies),
    bytes: sum(own, ({ bytes }) => bytes),
    failed: sum(own, ({ failed }) => failed),
    dropped: sumByKey(own.map(({ dropped }) => dropped)),
    copiesPerSecond: sum(own, ({ node, copiesPerSecond }) => (liveOf(node) === 'up' ? copiesPerSecond : 0)),
  }
}

const naturally = (names: readonly string[]): string[] => names.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))

const sum = <T>(list: readonly T[], of: (item: T) => number): number => list.reduce((total, item) => total + of(item), 0)

function sumByKey(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {}
  for (const record of records) for (const [key, value] of Object.entries(record)) if (value > 0) total[key] = (total[key] ?? 0) + value
  return total
}
