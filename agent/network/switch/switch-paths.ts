import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Where the virtual switch keeps what on its host: under the agent's run directory, gone with the machine's memory. */
export interface SwitchPaths {
  /** The agent's run directory: pid files are here, where `agent leave` looks for what it is to end. */
  run: string
  directory: string
  /** What the module wants, for the keeper to bring back without it. */
  desired: string
  /** What the keeper says of itself and of what it keeps. */
  status: string
  /** Where the keeper takes requests. */
  keeperSocket: string
  keeperPidFile: string
  log: string
}

export function switchPaths(run: string, log: string): SwitchPaths {
  const directory = join(run, 'ovs')
  return {
    run,
    directory,
    desired: join(directory, 'desired.json'),
    status: join(directory, 'status.json'),
    keeperSocket: join(directory, 'keeper.sock'),
    keeperPidFile: join(run, 'network-keeper.pid'),
    log,
  }
}

/** Bridges of every instance. `br-phy` holds the NIC, and only where user space forwards. */
export type Bridge = 'br-int' | 'br-phy'

/** Files of one instance of Open vSwitch. Each start has a number, and so a directory, of its own: what was meant for one never reaches the next. */
export interface InstancePaths {
  directory: string
  database: string
  databaseSocket: string
  /** Control sockets, for `Unixctl`. */
  ovsdbControl: string
  vswitchdControl: string
}

export function instancePaths(paths: SwitchPaths, number: number): InstancePaths {
  const directory = join(paths.directory, String(number))
  return {
    directory,
    database: join(directory, 'conf.db'),
    databaseSocket: join(directory, 'db.sock'),
    ovsdbControl: join(directory, 'ovsdb.ctl'),
    vswitchdControl: join(directory, 'vswitchd.ctl'),
  }
}

/** Numbers of the instances that were started on this host and are not yet cleared away. */
export function startedInstances(paths: SwitchPaths): number[] {
  return readdirSync(paths.directory).map(Number).filter(Number.isInteger)
}

/** Pid files of an instance's daemons. */
export function daemonPidFiles(paths: SwitchPaths, number: number): [ovsdb: string, vswitchd: string] {
  return [join(paths.run, `ovs-${number}-ovsdb.pid`), join(paths.run, `ovs-${number}-vswitchd.pid`)]
}

/** Where ovs-ofctl finds a bridge. */
export function bridgeSocket(instance: InstancePaths, bridge: Bridge): string {
  return join(instance.directory, `${bridge}.mgmt`)
}
