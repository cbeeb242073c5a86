/**
 * The pipeline of every host: its OpenFlow tables by stage, in the order in which a packet passes them. A packet from a guest enters at
 * `classify`, one out of a tunnel goes from there to `forward`: it was routed and let out on its sender's host.
 */
export const tables = {
  /** Which network is this, and who sent it. */
  classify: 0,
  /** Sends the port under its own MAC and addresses only. */
  portSecurity: 1,
  /** Conntrack's word on what leaves a port, where a stateful ACL wants it. */
  trackOut: 2,
  /** ACLs of direction `out`. */
  aclOut: 3,
  /** ARP and neighbour solicitations are answered here for every known address. */
  arpAnswer: 4,
  /** Second half of a neighbour advertisement: its options can be set only once it is one. */
  ndAnswer: 5,
  /** What is for the router's MAC is routed; all else is bridged. */
  gateway: 6,
  routing: 7,
  /** The next hop's MAC, TTL and MTU. */
  nextHop: 8,
  /** Where a MAC is: a local port, a tunnel to its host; copies of broadcast and multicast. */
  fdb: 9,
  trackIn: 10,
  /** ACLs of direction `in`. */
  aclIn: 11,
  output: 12,
} as const

export type Stage = keyof typeof tables

const stages = new Map<number, Stage>(Object.entries(tables).map(([stage, table]) => [table, stage as Stage]))

/** The stage of a table; undefined for one that is not ours. */
export function stageOf(table: number): Stage | undefined {
  return stages.get(table)
}

/*
 * Registers (ovs-fields(7)) by what they hold along the pipeline:
 *
 *   reg0          VNI of the network that the packet is in now
 *   reg1          number of the local port that sent it; 0 for what came out of a tunnel
 *   reg2          number of the local port that is to receive it
 *   reg3          number of the router that it is in
 *   reg4, xxreg1  next hop: IPv4 in reg4, IPv6 in reg4 to reg7
 *   reg8, bit 0   larger than the next network's MTU
 *   reg9          1: came out of a tunnel, so that it enters none again
 *   reg10         VNI of the network that it was sent in, kept while it is routed
 */

/** OpenFlow ports of br-int that are not guests'. */
export const switchPorts = { vxlan: 1, gre: 2, error: 3 } as const

/** Meter that bounds what goes to the error port. */
export const errorMeter = 1
/** Packets a second that a host answers with ICMP errors; more are dropped and counted by the meter. */
export const errorsPerSecond = 200
