import agentAtRest from './agent-at-rest.ts'
import type { Bench } from './bench.ts'
import clusterAddress from './cluster-address.ts'
import faultToCell from './fault-to-cell.ts'
import inventory from './inventory.ts'
import underLoad from './under-load.ts'

/** Every measurement, in the order of `bench -- list`. */
export const benches: Bench[] = [clusterAddress, faultToCell, underLoad, inventory, agentAtRest]
