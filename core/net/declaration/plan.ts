import type { VirtualNetwork } from '../../model/network.ts'
import { sameJson } from '../../sync/same-json.ts'
import { changesOf, type Change } from './changes.ts'
import { checkDraft } from './check.ts'
import { Draft } from './draft.ts'
import { mergeDeclaration } from './merge.ts'
import { refusalOf, type Problem } from './problems.ts'
import type { Declaration } from './schema.ts'
import { sortedBy, sortedByName } from './sorted.ts'
import { touchedPart } from './touched.ts'

export type { Change } from './changes.ts'

/** What applying a declaration would do. */
export interface NetworkPlan {
  /** The whole network as it would be. */
  next: VirtualNetwork
  /** Empty where the network is as declared already. */
  changes: Change[]
}

export interface PlanOptions {
  /** Names of the cluster's hosts. */
  hosts: readonly string[]
  /** Whether what the declaration does not name is deleted. */
  prune: boolean
}

/**
 * Works out what a declaration makes of a network. Objects are known by their names; a declared one is as declared, with defaults for what is
 * left out, but keeps what was assigned to it (VNI, MAC, number). The result is checked as a whole: `current` was when it was planned.
 * @throws HoldfastError bad-input with `data.problems` (`Problem[]`), all at once.
 */
export function planNetwork(current: VirtualNetwork, declaration: Declaration, { hosts, prune }: PlanOptions): NetworkPlan {
  const merged = mergeDeclaration(current, declaration, prune)
  const check = (part: VirtualNetwork): readonly Problem[] => {
    const draft = new Draft(part, { merged, current, declaration, hosts })
    checkDraft(draft)
    return draft.problems
  }
  // What is stored is right; what the declaration does not touch is so still. Problems are told with the whole in mind.
  if (prune || check(touchedPart(current, merged, declaration)).length > 0) {
    const problems = check(merged)
    if (problems.length > 0) throw refusalOf(problems)
  }
  const next = canonical(merged, current)
  return { next, changes: changesOf(current, next) }
}

/** Everything whose order means nothing is sorted, so that the same network is the same bytes. What is as it was is the very object that it was. */
function canonical(merged: VirtualNetwork, before: VirtualNetwork): VirtualNetwork {
  const { vpcs, networks, routers, peerings, acls, ports, hosts, vips, last } = merged
  return {
    vpcs: settled(vpcs, before.vpcs, (vpc) => vpc),
    networks: settled(networks, before.networks, (network) => network),
    routers: settled(routers, before.routers, (router) => ({
      ...router,
      networks: router.networks.toSorted(),
      routes: sortedBy(router.routes, ({ to }) => to),
    })),
    peerings: settled(peerings, before.peerings, (peering) => ({
      ...peering,
      routers: peering.routers.toSorted() as typeof peering.routers,
      routes: sortedBy(peering.routes, ({ on, to }) => `${on} ${to}`),
    })),
    acls: settled(acls, before.acls, (acl) => acl),
    ports: settled(ports, before.ports, (port) => ({ ...port, allow: port.allow.toSorted() })),
    hosts: settled(hosts, before.hosts, (host) => ({ ...host, roles: host.roles.toSorted() })),
    // The order of its ports means something.
    vips: settled(vips, before.vips, ({ priorities, ...vip }) => ({ ...vip, ...(priorities && { priorities: sortedByKey(priorities) }) })),
    last,
  }
}

function sortedByKey(map: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(sortedBy(Object.entries(map), ([key]) => key))
}

/** Sorted by name and each in its one order; `before` is so already. */
function settled<T extends { name: string }>(items: readonly T[], before: readonly T[], inOrder: (item: T) => T): T[] {
  const stays = new Set(before)
  const others = new Set(items.filter((item) => !stays.has(item)).map(({ name }) => name))
  const known = new Map(before.filter(({ name }) => others.has(name)).map((item) => [item.name, item]))
  return sortedByName(
    items.map((item) => {
      if (stays.has(item)) return item
      const was = known.get(item.name)
      const is = inOrder(item)
      return was && sameJson(was, is) ? was : is
    }),
  )
}
