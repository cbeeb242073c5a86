import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { flowLine, parseFlowLine, type Flow } from '../../core/net/openflow/flow.ts'
import { reservedPorts } from '../../core/net/openflow/values.ts'
import { toHex } from '../../core/net/packet/bytes.ts'
import { Capture } from './capture.ts'
import { Control } from './control.ts'

/**
 * A real ovs-vswitchd whose ports are not devices: frames are put in by command, and what it sends is written to a file a port. All else
 * (OpenFlow, classifier, translation, userspace datapath, conntrack, tunnels) is as on a host. See netdev-dummy.c and tests/ of OVS.
 */

/** Ports of br0 that are no tunnels. */
export const plainPorts = [1, 2, 3, 4, 5, 6] as const
/** Tunnels of br0 with key and far end set by flows. */
export const tunnelPorts = { vxlan: 7, gre: 8 } as const
/** Ports of br0 that groups watch and nothing is sent to. */
export const watchPorts = [16, 17, 18] as const
/** The bridge that carries tunnels: its address, and the far ends that it knows with their MACs. */
export const underlay = {
  ip: '192.0.2.1',
  mac: '02:aa:00:00:00:01',
  ends: { '192.0.2.2': '02:aa:00:00:00:02', '192.0.2.3': '02:aa:00:00:00:03' } as Record<string, string>,
} as const

/** Values of pkt_mark with which tunnels find a route. */
export const pktMarks = [0, 1, 2, 3, 4, 5, 6] as const

/** What is told to br0: flows, groups as ovs-ofctl(8) has them, and which of `watchPorts` have no carrier. */
export interface Bridge {
  flows: Flow[]
  groups: string[]
  portsDown: ReadonlySet<number>
}

/** Frames by the name of the port that sent them. */
export type Sent = Map<string, string[]>

export class DummySwitch {
  readonly #dir: string
  readonly #usr: string
  readonly #children: ChildProcess[] = []
  readonly #captures = new Map<string, Capture>()
  #control!: Control
  #marks!: Capture

  private constructor(dir: string, usr: string) {
    this.#dir = dir
    this.#usr = usr
  }

  /** Starts one in a directory of its own. `usr` is that of the lab's base layer. Its clock stands still but for `pass`. */
  static async start(usr: string): Promise<DummySwitch> {
    const dir = await mkdtemp(join(tmpdir(), 'dummy-ovs-'))
    const dummy = new DummySwitch(dir, usr)
    try {
      await dummy.#start()
      return dummy
    } catch (error) {
      await dummy.stop()
      throw error
    }
  }

  async #start(): Promise<void> {
    const quiet = ['-vconsole:off', '-vsyslog:off', '-vfile:warn']
    const db = `${this.#dir}/db.sock`
    await this.#run(['bin/ovsdb-tool', 'create', `${this.#dir}/conf.db`, `${this.#usr}/share/openvswitch/vswitch.ovsschema`])
    this.#daemon(['sbin/ovsdb-server', `--remote=punix:${db}`, `--unixctl=${this.#dir}/db.ctl`, ...quiet, `${this.#dir}/conf.db`])
    await exists(db)
    this.#daemon([
      'lib/openvswitch-switch/ovs-vswitchd',
      `unix:${db}`,
      '--enable-dummy',
      '--disable-system',
      `--unixctl=${this.#dir}/switch.ctl`,
      ...quiet,
    ])
    await exists(`${this.#dir}/switch.ctl`)
    await this.#run(['bin/ovs-vsctl', `--db=unix:${db}`, '--timeout=60', ...this.#configuration()])
    for (const name of [...plainPorts.map((port) => `p${port}`), 'br0', 'phy']) this.#captures.set(name, new Capture(this.#capture(name)))
    this.#marks = new Capture(this.#capture('mark-out'))
    this.#control = await Control.open(`${this.#dir}/switch.ctl`)
    await this.#control.call('netdev-dummy/ip4addr', 'br-phy', `${underlay.ip}/24`)
    // Routes of the underlay are chosen by pkt_mark, too.
    for (const mark of pktMarks) await this.#control.call('ovs/route/add', '192.0.2.0/24', 'br-phy', `pkt_mark=${mark}`)
    await this.#run(['bin/ovs-ofctl', 'add-flow', `unix:${this.#dir}/br-phy.mgmt`, 'actions=NORMAL'])
    await this.#run(['bin/ovs-ofctl', 'add-flow', `unix:${this.#dir}/br-mark.mgmt`, 'in_port=1,actions=output:2'])
    await this.#ofctl('add-meter', 'meter=1,pktps,band=type=drop,rate=1000000')
    await this.#control.call('time/stop')
  }

  #configuration(): string[] {
    const port = (bridge: string, name: string, ...set: string[]): string[] => [
      '--',
      'add-port',
      bridge,
      name,
      '--',
      'set',
      'interface',
      name,
      ...set,
    ]
    const flowTunnel = (name: string, number: number): string[] =>
      port('br0', name, `type=${name}`, `ofport_request=${number}`, 'options:key=flow', 'options:remote_ip=flow')
    return [
      ...['init', '--', 'add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=dummy', 'fail-mode=secure'],
      ...['protocols=OpenFlow10,OpenFlow13,OpenFlow15', '--', 'set', 'interface', 'br0', `options:tx_pcap=${this.#capture('br0')}`],
      ...['--', 'add-br', 'br-phy', '--', 'set', 'bridge', 'br-phy', 'datapath_type=dummy', `other-config:hwaddr=${underlay.mac}`],
      ...port('br-phy', 'phy', 'type=dummy', `options:tx_pcap=${this.#capture('phy')}`),
      ...plainPorts.flatMap((number) =>
        port('br0', `p${number}`, 'type=dummy', `ofport_request=${number}`, `options:tx_pcap=${this.#capture(`p${number}`)}`),
      ),
      ...['--', 'add-br', 'br-mark', '--', 'set', 'bridge', 'br-mark', 'datapath_type=dummy'],
      ...port('br-mark', 'mark-in', 'type=dummy', 'ofport_request=1'),
      ...port('br-mark', 'mark-out', 'type=dummy', 'ofport_request=2', `options:tx_pcap=${this.#capture('mark-out')}`),
      ...watchPorts.flatMap((number) => port('br0', `w${number}`, 'type=dummy', `ofport_request=${number}`)),
      ...Object.entries(tunnelPorts).flatMap(([name, number]) => flowTunnel(name, number)),
    ]
  }

  #capture(name: string): string {
    return `${this.#dir}/${name}.pcap`
  }

  /** Replaces all flows and groups of br0 and forgets all connections. Answers them as the switch tells them. Throws what ovs-ofctl refuses. */
  async load({ flows, groups, portsDown }: Bridge): Promise<Bridge> {
    const [flowFile, groupFile] = [`${this.#dir}/flows`, `${this.#dir}/groups`]
    await writeFile(flowFile, flows.map((flow) => `${flowLine(flow)}\n`).join(''))
    await writeFile(groupFile, ['delete group_id=all', ...groups.map((group) => `add ${group}`), ''].join('\n'))
    // A flow that names two groups which are deleted under it ends ovs-vswitchd 3.1.
    await this.#ofctl('del-flows')
    await this.#ofctl('add-groups', groupFile)
    await this.#ofctl('add-flows', flowFile)
    for (const port of watchPorts) await this.#control.call('netdev-dummy/set-admin-state', `w${port}`, portsDown.has(port) ? 'down' : 'up')
    // What it is told of a port counts from its next turn on.
    for (let turns = 0; turns < 2; turns++) await this.#control.call('version')
    await this.forgetCache()
    await this.#control.call('dpctl/flush-conntrack')
    // They age with the clock that passes.
    for (const [ip, mac] of Object.entries(underlay.ends)) await this.#control.call('tnl/neigh/set', 'br-phy', ip, mac)
    const dump = await this.#ofctl('dump-flows', '--no-stats', '--no-names')
    const told = await this.#ofctl('dump-groups', '--no-names')
    return {
      flows: lines(dump, 'actions=').map(parseFlowLine),
      groups: lines(told, 'group_id='),
      portsDown,
    }
  }

  /** Has the next packet go through the flows, whatever came before it. */
  async forgetCache(): Promise<void> {
    await this.#control.call('revalidator/purge')
  }

  /** Lets the switch's clock go on. */
  async pass(ms: number): Promise<void> {
    await this.#control.call('time/warp', String(ms))
  }

  /** Has a frame come in by a port (`p1`, `phy`), and answers all that left, by port, in order. */
  async receive(port: string, frame: Uint8Array): Promise<Sent> {
    await this.#control.call('netdev-dummy/receive', port, toHex(frame))
    await this.#processed()
    const sent: Sent = new Map()
    for (const [name, capture] of this.#captures) {
      const frames = capture.read().map(toHex)
      if (frames.length > 0) sent.set(name, frames)
    }
    return sent
  }

  /**
   * Waits until what came in before has been processed. All ports are served in one turn of the daemon's main loop, so a frame on a
   * bridge apart that has got through tells that the turn of those before it has begun; a command is answered after that turn.
   */
  async #processed(): Promise<void> {
    await this.#control.call('netdev-dummy/receive', 'mark-in', toHex(new Uint8Array(14)))
    do await this.#control.call('version')
    while (this.#marks.read().length === 0)
    await this.#control.call('version')
  }

  /** Whether its daemons live. */
  get running(): boolean {
    return this.#children.every(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
  }

  async stop(): Promise<void> {
    this.#control?.close()
    for (const capture of [...this.#captures.values(), this.#marks]) capture?.close()
    for (const child of this.#children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    }
    await rm(this.#dir, { recursive: true, force: true })
  }

  #env(): NodeJS.ProcessEnv {
    const dirs = Object.fromEntries(['RUNDIR', 'LOGDIR', 'DBDIR', 'SYSCONFDIR'].map((name) => [`OVS_${name}`, this.#dir]))
    return { ...process.env, ...dirs, OVS_PKGDATADIR: `${this.#usr}/share/openvswitch`, LD_LIBRARY_PATH: `${this.#usr}/lib/x86_64-linux-gnu` }
  }

  /** In a network namespace of its own: a tunnel port opens sockets. */
  #daemon([program = '', ...args]: string[]): void {
    this.#children.push(spawn('unshare', ['--net', `${this.#usr}/${program}`, ...args], { stdio: 'ignore', env: this.#env() }))
  }

  #ofctl(command: string, ...args: string[]): Promise<string> {
    const [options, rest] = [args.filter((arg) => arg.startsWith('--')), args.filter((arg) => !arg.startsWith('--'))]
    return this.#run(['bin/ovs-ofctl', '-O', 'OpenFlow15', ...options, command, `unix:${this.#dir}/br0.mgmt`, ...rest])
  }

  #run([program = '', ...args]: string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = spawn(`${this.#usr}/${program}`, args, { env: this.#env(), stdio: ['ignore', 'pipe', 'pipe'] })
      const output = { stdout: '', stderr: '' }
      child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
      child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
      child.on('error', reject)
      child.on('close', (code) => (code === 0 ? resolve(output.stdout) : reject(new Error(`${program} ${args.join(' ')}: ${output.stderr.trim()}`))))
    })
  }
}

function lines(text: string, having: string): string[] {
  return text.split('\n').filter((line) => line.includes(having))
}

/** The name of a port of br0 in `Sent`, by its OpenFlow number; undefined for tunnels and ports that are not there. */
export function captureName(port: number): string | undefined {
  if (port === reservedPorts.local) return 'br0'
  return (plainPorts as readonly number[]).includes(port) ? `p${port}` : undefined
}

async function exists(path: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    if (
      await stat(path).then(
        () => true,
        () => false,
      )
    )
      return
    if (tries > 600) throw new Error(`${path} did not come to be within 30 s`)
    await sleep(50)
  }
}
