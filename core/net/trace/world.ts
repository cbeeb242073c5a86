import type { LiveState } from '../../model/common.ts'
import type { FlowTables } from '../openflow/tables.ts'
import type { FlowOwners } from '../compile/cookie.ts'
import type { NetworkIndex } from '../compile/view.ts'

/** One end of a cable at a switch. */
export interface SwitchEnd {
  switch: string
  port: string
}

/** What is known of a host beside its flows. What nobody said is null, and assumed to be as it should. */
export interface HostState {
  state: LiveState
  /** The NIC that carries tunnels. `missing`: the host has none of this name any more. */
  nic: { name: string; state: LiveState | 'missing'; mtuBytes: number; mac: string } | null
  /** Where that NIC's cable ends. */
  cable: SwitchEnd | null
  /** Whether the virtual switch forwards. */
  switchState: 'up' | 'degraded' | 'down' | null
  /** Ports that have no device, or one without a carrier. */
  portsDown: ReadonlySet<string>
  /** How it hears the other hosts' heartbeats on the plane that carries tunnels. */
  hears: ReadonlyMap<string, LiveState>
  /** Ports by which its switch watches broadcast nodes in vain, as it says itself; null: by what is known of these. */
  deadWatches: ReadonlySet<number> | null
  /** Of a broadcast node: whether it replicates. */
  replicates: boolean | null
  /** Revision of the virtual network that it has in place. */
  revision: number | null
}

/** All that a simulated trace goes by. */
export interface World {
  index: NetworkIndex
  owners: FlowOwners
  /** The flows of a host. */
  tablesOf(host: string): FlowTables
  hosts: ReadonlyMap<string, HostState>
  /** Of the virtual network that this is about; null: it is a plan. */
  revision: number | null
}

export const unknownHost: HostState = {
  state: 'unknown',
  nic: null,
  cable: null,
  switchState: null,
  portsDown: new Set(),
  hears: new Map(),
  deadWatches: null,
  replicates: null,
  revision: null,
}
