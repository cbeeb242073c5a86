import { runProgram } from '../runtime/programs.ts'
import { deviceIndex, isolateDevice, mirrorDevice } from './switch/devices.ts'
import type { KeeperStatus } from './switch/keeper-status.ts'
import { vsctl } from './switch/ports.ts'
import { instancePaths, type SwitchPaths } from './switch/switch-paths.ts'

/** The device that packets are copied to, and the other end of its cable, where nobody listens. */
const [device, otherEnd] = [mirrorDevice, 'hf-mirror1'] as const
/** Its OpenFlow port, below those of guests. */
const portNumber = 4
const mirrorName = 'holdfast-capture'
/** Larger than any packet of the bridge, those of offloads included. */
const mtuBytes = 65_535
/** How soon it is there again after another ovs-vswitchd has taken over. */
const followMs = 500
/** How long the port stays for the next mirror: each port that comes or goes can cost a packet that is on its way through the switch. */
const lingerMs = 60_000

/**
 * A copy of every packet of br-int at a device, while somebody holds it: a mirror of Open vSwitch (ovs-vswitchd.conf.db(5), table Mirror),
 * because packets pass no device of the kernel on their way through a bridge in user space. Each is copied as it comes in; how one
 * that the switch has rewritten leaves (it copies none twice, ovs-vswitchd 3.1) is seen at ports and in tunnels. It is no drift: a mirror
 * is no flow, nothing is ever output to its port by a flow, and what `readPorts` compares are ports of no declared type; this one has the
 * type `system`, which means the same to the switch. After a take-over it is made again; what passed in between is not seen.
 */
export class BridgeMirror {
  readonly #paths: SwitchPaths
  readonly #status: () => KeeperStatus | null
  #holders = 0
  /** Makes and removals of it, one after the other. */
  #work: Promise<unknown> = Promise.resolve()
  /** Number of the instance of Open vSwitch that has it. */
  #instance: number | null = null
  #following: NodeJS.Timeout | undefined
  #lingering: NodeJS.Timeout | undefined

  constructor(paths: SwitchPaths, status: () => KeeperStatus | null) {
    this.#paths = paths
    this.#status = status
  }

  /** Has it stand until disposed of. Throws `step-failed` when it cannot, `module-unhealthy` while no switch forwards. */
  async hold(): Promise<AsyncDisposable & { device: string }> {
    this.#holders++
    clearTimeout(this.#lingering)
    try {
      await this.#inTurn(() => this.#ensure())
    } catch (thrown) {
      await this.#letGo()
      throw thrown
    }
    this.#following ??= setInterval(() => {
      if (this.#activeNumber() !== this.#instance) this.#inTurn(() => this.#ensure()).catch(() => undefined)
    }, followMs)
    return { device, [Symbol.asyncDispose]: () => this.#letGo() }
  }

  /** Removes what a process before this one has left behind. */
  async removeLeftovers(): Promise<void> {
    if (deviceIndex(device) === null) return
    await this.#inTurn(async () => {
      if (this.#holders > 0) return
      await this.#end()
      await this.#removePort()
    })
  }

  async #letGo(): Promise<void> {
    this.#holders--
    await this.#inTurn(async () => {
      if (this.#holders > 0) return
      clearInterval(this.#following)
      this.#following = undefined
      await this.#end()
      this.#lingering = setTimeout(() => void this.#inTurn(() => this.#removePort()).catch(() => undefined), lingerMs).unref()
    })
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#work.then(work)
    this.#work = done.catch(() => undefined)
    return done
  }

  #activeNumber(): number | null {
    return this.#status()?.active?.number ?? null
  }

  async #ensure(): Promise<void> {
    const number = this.#activeNumber()
    if (this.#holders === 0 || number === null || number === this.#instance) return
    if (deviceIndex(device) === null) {
      await runProgram([
        'ip',
        'link',
        'add',
        'name',
        device,
        'mtu',
        String(mtuBytes),
        'type',
        'veth',
        'peer',
        'name',
        otherEnd,
        'mtu',
        String(mtuBytes),
      ])
    }
    for (const end of [device, otherEnd]) {
      isolateDevice(end)
      await runProgram(['ip', 'link', 'set', 'dev', end, 'up'])
    }
    await vsctl(
      instancePaths(this.#paths, number),
      [],
      [
        ['--may-exist', 'add-port', 'br-int', device],
        ['set', 'interface', device, 'type=system', `ofport_request=${portNumber}`],
        ['--id=@port', 'get', 'port', device],
        ['--id=@mirror', 'create', 'mirror', `name=${mirrorName}`, 'select_all=true', 'output_port=@port'],
        ['add', 'bridge', 'br-int', 'mirrors', '@mirror'],
      ],
    )
    this.#instance = number
  }

  /** Has nothing copied any more. An instance that has taken over since has no mirror. */
  async #end(): Promise<void> {
    const number = this.#activeNumber()
    this.#instance = null
    if (number === null) return
    const gone = [
      ['--id=@mirror', 'get', 'mirror', mirrorName],
      ['remove', 'bridge', 'br-int', 'mirrors', '@mirror'],
    ]
    await vsctl(instancePaths(this.#paths, number), [], gone).catch(() => undefined)
  }

  async #removePort(): Promise<void> {
    if (this.#holders > 0) return
    const number = this.#activeNumber()
    if (number !== null) await vsctl(instancePaths(this.#paths, number), [], [['--if-exists', 'del-port', 'br-int', device]]).catch(() => undefined)
    if (deviceIndex(device) !== null) await runProgram(['ip', 'link', 'delete', 'dev', device])
  }
}
