import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { asHoldfastError } from '../../core/errors.ts'
import type { TunnelEnd, VirtualNetwork } from '../../core/model/network.ts'
import { broadcastNodes, clusterEnd, watchedHosts, type BroadcastNode } from '../../core/net/broadcast/nodes.ts'
import { hostsOf } from '../../core/net/compile/fdb.ts'
import { indexNetwork } from '../../core/net/compile/view.ts'
import { sameJson } from '../../core/sync/same-json.ts'
import type { AgentPaths } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Member } from './broadcast/members.ts'
import { broadcastPins } from './broadcast/bpf/pins.ts'
import { openBroadcastPath } from './broadcast/open.ts'
import type { BroadcastPath, Rate } from './broadcast/path.ts'
import { Replicator, type ReplicatorOptions } from './broadcast/replicator.ts'
import type { Sighting } from './broadcast/sightings.ts'

/** A network that floods more is at fault, and would take the others' share of the node. */
const stormLimit: Rate = { framesPerSecond: 10_000, burstFrames: 10_000 }

/** What this host's part in the broadcast cluster is made from. */
export interface BroadcastWanted {
  network: VirtualNetwork
  /** Of hosts with our agent. */
  ends: ReadonlyMap<string, TunnelEnd>
  /** That carries tunnels. */
  nic: string
  mtuBytes: number
  /** Whether this host is to answer for the cluster's address. */
  holdsClusterAddress: boolean
}

/**
 * This host's part in the broadcast cluster: on a node what replicates, on every host what sees the announcements in the copies that come. It
 * goes on when this process ends, and the next one finds it.
 */
export class BroadcastDriver {
  readonly #host: string
  readonly #logger: Logger
  readonly #pinDirectory: string
  readonly #onSighting: (sighting: Sighting) => void
  #path: BroadcastPath | null = null
  /** Of the path that is open. */
  #options: Pick<ReplicatorOptions, 'nic' | 'mtuBytes' | 'hostIp'> | null = null
  #addresses: unknown = null
  #members = new Map<number, Member[]>()
  #slowerBecause: string | null = null
  #problem: string | null = null
  #replicates = false
  membershipWrites = 0

  constructor(host: string, paths: AgentPaths, logger: Logger, onSighting: (sighting: Sighting) => void) {
    this.#host = host
    this.#logger = logger
    this.#pinDirectory = broadcastPins(paths.run)
    this.#onSighting = onSighting
  }

  /** What replicates here; null where this host is no node, or cannot be one. */
  get path(): BroadcastPath | null {
    return this.#replicates ? this.#path : null
  }

  /** What is wrong, or why it is slower than it could be, in a sentence each. */
  get problems(): string[] {
    return [this.#problem, this.#replicates ? this.#slowerBecause : null].filter((text) => text !== null)
  }

  /** What sees announcements here. */
  get sees(): BroadcastPath | null {
    return this.#path
  }

  /** Makes it so. What fails is told by `problems`, and tried again by the next call. */
  converge(wanted: BroadcastWanted): void {
    const nodes = broadcastNodes(wanted.network, wanted.ends)
    const watched = watchedHosts(wanted.network, wanted.ends)
    const own = watched.find((node) => node.host === this.#host)
    const isNode = nodes.some((node) => node.host === this.#host)
    try {
      this.#open(wanted, own !== undefined)
      this.#setAddresses(watched, own, clusterEnd(nodes), wanted.holdsClusterAddress && isNode)
      this.#setMembers(isNode ? membersOf(wanted) : new Map())
      this.#replicates = isNode
      this.#problem = null
      const end = wanted.ends.get(this.#host)
      const others = watched.filter((node) => node !== own).map(({ replicator }) => replicator)
      if (end && this.#path instanceof Replicator) void this.#path.accelerate(end, isNode ? others : [])
    } catch (thrown) {
      const { message } = asHoldfastError(thrown)
      if (message !== this.#problem) this.#logger.error('the broadcast path is not as it should be', { cause: thrown })
      this.#problem = message
      this.#replicates = false
    }
  }

  /** Has the next `converge` answer again for what somebody else has announced. */
  retake(): void {
    this.#addresses = null
  }

  /** Lets go of it; what is in the kernel goes on. */
  close(): void {
    this.#path?.close({ keep: true })
    this.#forget()
  }

  #forget(): void {
    this.#path = null
    this.#addresses = null
    this.#members.clear()
  }

  /** A host that is no node only looks, for which it needs the program in the kernel. */
  #open({ nic, mtuBytes, ends }: BroadcastWanted, isNode: boolean): void {
    const options = { nic, mtuBytes, hostIp: ends.get(this.#host)?.ip ?? null }
    const stays = this.#path !== null && this.#path.attached && sameJson(options, this.#options) && (isNode || this.#path.way !== 'packet')
    if (stays) return
    this.#path?.close({ keep: true })
    this.#forget()
    mkdirSync(this.#pinDirectory, { recursive: true, mode: 0o700 })
    const all = {
      ...options,
      pinDirectory: this.#pinDirectory,
      objectPath: join(import.meta.dirname, 'replicate.bpf.o'),
      onSighting: this.#onSighting,
    }
    if (isNode) {
      const { path, slowerBecause } = openBroadcastPath(all)
      this.#path = path
      this.#slowerBecause = slowerBecause?.message ?? null
    } else this.#path = new Replicator(all)
    this.#options = options
    for (const vni of this.#path.vnis()) this.#members.set(vni, this.#path.members(vni) ?? [])
  }

  /** A gateway has its address only for others to see that it lives. */
  #setAddresses(watched: readonly BroadcastNode[], own: BroadcastNode | undefined, cluster: TunnelEnd, holdsClusterAddress: boolean): void {
    const local = own ? [own.replicator, ...(holdsClusterAddress ? [{ ...cluster, floating: true }] : [])] : []
    const others = [...watched.filter((node) => node !== own).map(({ replicator }) => replicator.ip), ...(holdsClusterAddress ? [] : [cluster.ip])]
    const addresses = [local, others]
    // Written anew, the floating address would be answered for again, whoever has it now.
    if (sameJson(addresses, this.#addresses)) return
    this.#path!.setAddresses(local, others)
    this.#addresses = addresses
  }

  #setMembers(wanted: ReadonlyMap<number, Member[]>): void {
    const path = this.#path!
    const gone = [...this.#members.keys()].filter((vni) => !wanted.has(vni))
    const changed = new Map([...wanted].filter(([vni, members]) => !sameJson(members, this.#members.get(vni))))
    path.removeVnis(gone)
    for (const vni of gone) this.#members.delete(vni)
    if (changed.size === 0) return
    path.setMembers(changed)
    for (const [vni, members] of changed) {
      if (!this.#members.has(vni)) path.setRate(vni, stormLimit)
      this.#members.set(vni, members)
    }
    this.membershipWrites += changed.size
  }
}

/** The hosts of each VNI: all that have a port there, in the order of their names, VXLAN first as they are stored. */
function membersOf({ network, ends }: BroadcastWanted): Map<number, Member[]> {
  const index = indexNetwork({ network, hosts: ends })
  return new Map(
    network.networks.map((one) => {
      const ends = [...new Set(hostsOf(index, one))].sort().flatMap((host) => index.ends.get(host) ?? [])
      return [one.vni, ends.map(({ ip, mac }) => ({ ip, mac, tunnel: one.tunnel }))]
    }),
  )
}
