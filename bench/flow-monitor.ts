import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { bridgeSocket, instancePaths, switchPaths } from '../agent/network/switch/switch-paths.ts'
import type { NetworkLab } from './network-lab.ts'

/** Where the agent keeps the switch on its host. */
const paths = switchPaths('/run/holdfast', '/var/log/holdfast')

/** What a bridge itself tells of changes in its flow table, as they happen: `ovs-ofctl monitor … watch:`, ovs-ofctl(8). */
export class FlowMonitor implements Disposable {
  readonly host: string
  readonly #child
  readonly #times: number[] = []

  private constructor(host: string, initPid: number, bridge: string) {
    this.host = host
    const namespaces = ['--mount', '--net']
    const program = ['ovs-ofctl', '-O', 'OpenFlow10', 'monitor', `unix:${bridge}`, 'watch:!initial']
    this.#child = spawn('nsenter', [`--target=${initPid}`, ...namespaces, '--', ...program], {
      stdio: ['ignore', 'ignore', 'pipe'],
      // Where it makes a control socket of its own.
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', OVS_RUNDIR: '/tmp' },
    })
    createInterface({ input: this.#child.stderr }).on('line', (line) => {
      if (line.includes('event=')) this.#times.push(performance.now())
    })
  }

  /** Of the switch that forwards now. */
  static async start(lab: NetworkLab, host: string): Promise<FlowMonitor> {
    const { active } = await lab.ready(host)
    return new FlowMonitor(host, await lab.initPid(host), bridgeSocket(instancePaths(paths, active!.number), 'br-int'))
  }

  /** How many flows were added, changed or removed since a moment of `performance.now()`, and when the last of them was. */
  since(ms: number): { flows: number; lastMs: number } {
    const times = this.#times.filter((time) => time >= ms)
    return { flows: times.length, lastMs: times.at(-1) ?? NaN }
  }

  [Symbol.dispose](): void {
    this.#child.kill()
  }
}
