import type { VirtualNetwork } from '../../model/network.ts'
import { changesOf, type Change } from './changes.ts'
import { checkAcls } from './check-acls.ts'
import { checkAddresses } from './check-addresses.ts'
import { checkRouting } from './check-routing.ts'
import { Draft } from './draft.ts'
import { mergeDeclaration } from './merge.ts'
import { refusalOf } from './problems.ts'
import type { Declaration } from './schema.ts'

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
 * left out, but keeps what was assigned to it (VNI, MAC, number). The whole of the result is checked.
 * @throws HoldfastError bad-input with `data.problems` (`Problem[]`), all at once.
 */
export function planNetwork(current: VirtualNetwork, declaration: Declaration, { hosts, prune }: PlanOptions): NetworkPlan {
  const draft = new Draft(mergeDeclaration(current, declaration, prune), current, declaration, hosts)
  checkAddresses(draft)
  checkRouting(draft)
  checkAcls(draft)
  if (draft.problems.length > 0) throw refusalOf(draft.problems)
  const next = canonical(draft.network)
  return { next, changes: changesOf(current, next) }
}

/** Everything whose order means nothing is sorted, so that the same network is the same bytes. */
function canonical({ vpcs, networks, routers, peerings, acls, ports, last }: VirtualNetwork): VirtualNetwork {
  return {
    vpcs: sortedBy(vpcs, ({ name }) => name),
    networks: sortedBy(networks, ({ name }) => name),
    routers: sortedBy(
      routers.map((router) => ({ ...router, networks: router.networks.toSorted(), routes: sortedBy(router.routes, ({ to }) => to) })),
      ({ name }) => name,
    ),
    peerings: sortedBy(
      peerings.map((peering) => ({
        ...peering,
        routers: peering.routers.toSorted() as typeof peering.routers,
        routes: sortedBy(peering.routes, ({ on, to }) => `${on} ${to}`),
      })),
      ({ name }) => name,
    ),
    acls: sortedBy(acls, ({ name }) => name),
    ports: sortedBy(
      ports.map((port) => ({ ...port, allow: port.allow.toSorted() })),
      ({ name }) => name,
    ),
    last,
  }
}

function sortedBy<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
  return items.toSorted((a, b) => order(keyOf(a), keyOf(b)))
}
