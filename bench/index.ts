import agentAtRest from './agent-at-rest.ts'
import type { Bench } from './bench.ts'
import broadcastCopies from './broadcast-copies.ts'
import broadcastNodeLost from './broadcast-node-lost.ts'
import clusterAddress from './cluster-address.ts'
import faultToCell from './fault-to-cell.ts'
import forwardingOutage from './forwarding-outage.ts'
import gatewayLost from './gateway-lost.ts'
import inventory from './inventory.ts'
import memberJoin from './member-join.ts'
import moduleRestart from './module-restart.ts'
import networkChange from './network-change.ts'
import networkCompile from './network-compile.ts'
import overlayThroughput from './overlay-throughput.ts'
import reachability from './reachability.ts'
import sourceLimits from './source-limits.ts'
import trace from './trace.ts'
import topologyFrames from './topology-frames.ts'
import underLoad from './under-load.ts'
import vipFailover from './vip-failover.ts'

/** Every measurement, in the order of `bench -- list`. */
export const benches: Bench[] = [
  clusterAddress,
  faultToCell,
  underLoad,
  inventory,
  agentAtRest,
  networkCompile,
  networkChange,
  trace,
  reachability,
  forwardingOutage,
  moduleRestart,
  overlayThroughput,
  broadcastCopies,
  broadcastNodeLost,
  gatewayLost,
  memberJoin,
  sourceLimits,
  vipFailover,
  topologyFrames,
]
