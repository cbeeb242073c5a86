import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { traceModeSchema, type TraceRequest, type TraceResult } from '../../core/model/trace.ts'
import { cookieOf, type OwnerKind } from '../../core/net/compile/cookie.ts'
import { labCapture, labDown, labFault, type LabFault } from '../../lab/lab.ts'
import type { SwitchName } from '../../lab/plan.ts'
import { run } from '../../lab/run.ts'
import { hostPlanOf, planOf, runningLab, switchPids } from '../../lab/state.ts'
import { labUpFull } from '../../src-main/deploy/lab.ts'
import { createServices } from '../../src-main/main.ts'
import type { Services } from '../../src-main/services.ts'
import { declaration } from './declaration.ts'

export type Asked = Partial<TraceRequest> & { from: string }

/** What the keeper of a host's switch says. */
interface KeeperStatus {
  active: { number: number; vswitchd: { pid: number } } | null
  ready: boolean
}

/** A lab of four hosts with the network of the journey in place, and what can be done to it by hand. */
export class Rig implements AsyncDisposable {
  readonly #services: Services
  readonly #name: string

  constructor(services: Services, name: string) {
    this.#services = services
    this.#name = name
  }

  static async start(log: (line: string) => void): Promise<Rig> {
    const home = mkdtempSync(join(tmpdir(), 'holdfast-journey-'))
    const name = `fj${process.pid}`
    const services = await createServices({ home })
    const rig = new Rig(services, name)
    try {
      await labUpFull(services, { name, hosts: 4, onStep: () => undefined })
      log('a lab of four hosts is up')
      await rig.begin()
      return rig
    } catch (thrown) {
      await rig[Symbol.asyncDispose]()
      throw thrown
    } finally {
      process.once('exit', () => rmSync(home, { recursive: true, force: true }))
    }
  }

  /** Puts the network in place, and waits until all is well. */
  async begin(): Promise<void> {
    await this.apply(declaration)
    await this.well()
  }

  async apply(text: string, { prune = true, waitMs = 60_000 } = {}): Promise<void> {
    await this.#services.desktop.network.apply({ declaration: text, prune, waitMs })
  }

  trace(asked: Asked): Promise<TraceResult> {
    return this.#services.desktop.network.trace({ to: '', ...asked, mode: traceModeSchema.enum.both })
  }

  /** Runs a program on a host, or in a guest by the name of its port; answers stdout. Throws where it fails. */
  async on(place: string, ...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await labCapture({ name: this.#name, host: place, argv })
    if (code !== 0) throw new Error(`${place}: ${argv.join(' ')}: ${stderr.trim()}`)
    return stdout
  }

  /** Runs lines of ip(8) in a physical switch. */
  async onSwitch(name: SwitchName, ...lines: string[]): Promise<void> {
    const pid = switchPids(await runningLab(this.#name))[name]
    await run(['nsenter', '--target', String(pid), '--net', 'ip', '-batch', '-'], { input: `${lines.join('\n')}\n` })
  }

  /** The switch's port of a host's NIC for tunnels. */
  async switchPort(host: string): Promise<{ switchName: SwitchName; port: string }> {
    return hostPlanOf(await runningLab(this.#name), host).nics.tenant
  }

  /** The switches' ports of the trunk that carries tunnels. */
  async trunk(): Promise<Record<SwitchName, string>> {
    const { tor1, tor2 } = planOf(await runningLab(this.#name)).trunk.tenant
    return { tor1: tor1.port, tor2: tor2.port }
  }

  async fault(host: string, fault: LabFault): Promise<void> {
    await labFault({ name: this.#name, host, fault, ...(fault.startsWith('link') && { plane: 'tenant' as const }) })
  }

  /** Takes the NIC for tunnels away from a host: one of its guests has it then. */
  async moveNic(host: string, guest: string): Promise<void> {
    const { pid } = JSON.parse(await this.on(host, 'cat', `/run/holdfast/guest-${guest}.pid`)) as { pid: number }
    await this.on(host, 'ip', 'link', 'set', 'tenant', 'netns', String(pid))
  }

  async keeper(host: string): Promise<KeeperStatus> {
    return JSON.parse(await this.on(host, 'cat', '/run/holdfast/ovs/status.json')) as KeeperStatus
  }

  /** A command of ovs-ofctl on the switch that forwards. */
  async ofctl(host: string, command: string, ...argv: string[]): Promise<string> {
    const { active } = await this.keeper(host)
    return this.on(host, 'ovs-ofctl', '-O', 'OpenFlow15', command, `unix:/run/holdfast/ovs/${active!.number}/br-int.mgmt`, ...argv)
  }

  async mac(port: string): Promise<string> {
    const { items } = await this.#services.desktop.inventory.list({ kind: 'ports' })
    return items.find(({ id }) => id === port)!.mac as string
  }

  /** Processes of a host whose command line has this in it. */
  async pids(host: string, words: string): Promise<string[]> {
    return (await this.on(host, 'pgrep', '-f', words)).trim().split('\n')
  }

  /** Every flow of an object, by its cookie. */
  flowsOf(kind: OwnerKind, name: string, reasons: readonly Parameters<typeof cookieOf>[0][] = ['none', 'acl']): string[] {
    return reasons.map((reason) => `cookie=${cookieOf(reason, kind, name)}/-1`)
  }

  /** Waits until packets pass and nothing that was done is left: every switch has a standby, and what is to be is what is. */
  async well(limitMs = 120_000): Promise<void> {
    const endMs = performance.now() + limitMs
    let last = ''
    while (performance.now() < endMs) {
      try {
        const keepers = await Promise.all(['h1', 'h2', 'h3', 'h4'].map((host) => this.keeper(host)))
        const traces = await Promise.all([this.trace({ from: 'web-1', to: 'db-1' }), this.trace({ from: 'web-1', to: 'web-2' })])
        last = JSON.stringify(traces.map(({ verdict, drop, limit, parted }) => ({ verdict, drop, limit, parted })))
        if (keepers.every(({ ready }) => ready) && traces.every(({ verdict, parted }) => verdict === 'delivered' && parted === null)) return
      } catch (thrown) {
        last = (thrown as Error).message
      }
      await sleep(500)
    }
    throw new Error(`The lab does not come back: ${last}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#services[Symbol.asyncDispose]()
    await labDown({ name: this.#name })
  }
}
