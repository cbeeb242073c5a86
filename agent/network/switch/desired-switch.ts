import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import type { TunnelEnd, TunnelType } from '../../../core/model/network.ts'
import type { Flow } from '../../../core/net/openflow/flow.ts'

/** `kernel`: the module `openvswitch` forwards. `userspace`: ovs-vswitchd does. */
export type Datapath = 'kernel' | 'userspace'

/** What a virtual switch stands on. Where it changes, a switch is not altered but made anew. */
export interface SwitchBase {
  datapath: Datapath
  /** Linux device that carries tunnels; it keeps its address, and the host's own traffic never depends on the switch. */
  nic: string
  /** Of that device: a NIC that was taken away and came back is another one, of which a running switch would notice nothing. */
  nicIndex: number
  /** Where this host's tunnels end. Its MAC is not the NIC's: peers send tunnels to it, all else to the NIC's. */
  tunnelEnd: TunnelEnd & { prefixLength: number }
}

/** A Linux device on br-int; `number` is its OpenFlow port. */
export interface SwitchPort {
  device: string
  number: number
}

/** A tunnel of br-int that asks, with BFD (RFC 5880), whether the other end lives: its port is live while that answers. It carries nothing else. */
export interface WatchPort {
  number: number
  /** Of the other end. */
  ip: string
  tunnel: TunnelType
  /** How often it is asked; three unanswered in a row mean that it is dead. */
  periodMs: number
}

/** A VLAN of the NIC that carries tunnels, as a port of br-int; its frames have no tag there. In user space alone: the kernel has devices for that. */
export interface VlanPort {
  number: number
  vlan: number
}

/** All that the switch of a host is to be: its ports, its flows, and whom it tunnels to. */
export interface DesiredSwitch extends SwitchBase {
  /** Where the other hosts' tunnels end, all within the subnet of this host's tunnel end, and the replicators. */
  peers: TunnelEnd[]
  /** Addresses of a replicator at this very NIC: what comes for them is not for the switch. */
  notOurs: string[]
  ports: SwitchPort[]
  watched: WatchPort[]
  vlans: VlanPort[]
  /** Of br-int. Nothing but these: what is not matched is dropped. */
  flows: Flow[]
  /** `group_id=N,…` as in ovs-ofctl(8). */
  groups: string[]
  /** `meter=N,…` as in ovs-ofctl(8). */
  meters: string[]
}

/** Whether two stand on the same. */
export function sameBase(one: SwitchBase, other: SwitchBase): boolean {
  return baseText(one) === baseText(other)
}

function baseText({ datapath, nic, nicIndex, tunnelEnd: { ip, mac, prefixLength } }: SwitchBase): string {
  return JSON.stringify([datapath, nic, nicIndex, ip, mac, prefixLength])
}

/** Writes it as one JSON file, whole or not at all. */
export function writeDesired(path: string, desired: DesiredSwitch): void {
  writeFileSync(`${path}.new`, JSON.stringify(desired), { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

/** What `writeDesired` wrote; null where there is none. */
export function readDesired(path: string): DesiredSwitch | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as DesiredSwitch
  } catch {
    return null
  }
}

/** Tells what `writeDesired` wrote from anything that it wrote before or after; empty where there is nothing. */
export function desiredVersion(path: string): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found ? `${found.ino} ${found.mtimeNs}` : ''
}
