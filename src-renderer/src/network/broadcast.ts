import type { BroadcastNodeDoc, BroadcastWatcher, VipDoc } from '../../../core/contract/desktop/broadcast.ts'
import type { Announcement, BroadcastNode } from '../../../core/model/broadcast.ts'
import type { SummaryState } from '../../../core/status/summary.ts'
import { isContested } from '../../../core/status/vips.ts'
import type { Messages } from '../i18n/i18n.svelte.ts'
import type { Mark } from '../ui/StateMark.svelte'

/** How a VIP fares, in shape and word. `ownerState`: of the port that has it. */
export function vipMark(vip: VipDoc, ownerState: SummaryState, m: Messages): { state: Mark; word: string } {
  if (isContested(vip)) return { state: 'warning', word: m.vip.contested }
  if (!vip.owner) return { state: 'unknown', word: m.vip.nobody }
  return vip.damped ? { state: 'warning', word: m.vip.damped } : { state: ownerState, word: m.state[ownerState] }
}

/** What a node does, in a word. */
export const wayText = ({ way }: Pick<BroadcastNodeDoc, 'way'>, m: Messages): string => (way === null ? m.broadcast.idle : m.broadcast.way[way])

/** What was announced in a network, the newest first; what several nodes saw counts once. */
export function announcedIn(network: string, nodes: readonly Pick<BroadcastNode, 'announcements'>[], most: number): Announcement[] {
  const all = nodes.flatMap(({ announcements }) => announcements.filter((seen) => seen.network === network))
  const once = new Map(all.map((seen) => [`${seen.atMs} ${seen.ip} ${seen.mac} ${seen.host}`, seen]))
  return [...once.values()].sort((a, b) => b.atMs - a.atMs).slice(0, most)
}

/** Reasons with how often, the most first; none that never was. */
export const dropsOf = (dropped: Readonly<Record<string, number>>): [reason: string, count: number][] =>
  Object.entries(dropped)
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a)

/** Hosts that see a replicator down first, then those that saw one fall silent, the most often first; each as they come. */
export const mostFlapsFirst = (hosts: readonly BroadcastWatcher[]): BroadcastWatcher[] => {
  const downs = ({ watches }: BroadcastWatcher): number => watches.filter(({ state }) => state === 'down').length
  const flaps = ({ watches }: BroadcastWatcher): number => watches.reduce((sum, watch) => sum + watch.flaps, 0)
  return hosts.toSorted((a, b) => downs(b) - downs(a) || flaps(b) - flaps(a))
}

/** All that some host watches, each once. */
export const watchedBy = (hosts: readonly BroadcastWatcher[]): Pick<BroadcastWatcher['watches'][number], 'host' | 'as'>[] => [
  ...new Map(hosts.flatMap(({ watches }) => watches.map(({ host, as }) => [`${as} ${host}`, { host, as }]))).values(),
]
