import { readState } from '../../lab/state.ts'
import { labDown, labFault, labUp } from '../../lab/lab.ts'
import { tunnelMacOf } from '../../core/net/tunnel-mac.ts'
import type { GuestSetup } from './host-commands.ts'
import { bundleHostProgram, LabHost } from './lab-host.ts'
import { fullMtuBytes, maxPorts, type Ends, type Scenario } from './scenario.ts'

/** The lowest number that a network gives a port. */
const firstPortNumber = 256

/** A lab whose hosts run Open vSwitch with guests on it, ready to be any network. */
export class Rig implements AsyncDisposable {
  readonly #name: string
  readonly ends: Ends
  readonly hosts: ReadonlyMap<string, LabHost>
  #cut: string | null = null

  private constructor(name: string, ends: Ends, hosts: ReadonlyMap<string, LabHost>) {
    this.#name = name
    this.ends = ends
    this.hosts = hosts
  }

  static async start(): Promise<Rig> {
    const name = `ta${process.pid}`
    try {
      const lab = await labUp({ name, hosts: 3 })
      const programs = await bundleHostProgram()
      const state = (await readState(name))!
      const ends: Ends = new Map(
        lab.hosts.map((host) => [host.name, { ip: host.addresses.tenant!, mac: tunnelMacOf(host.addresses.tenant!), prefixLength: 24 }]),
      )
      const hosts = new Map(lab.hosts.map((host) => [host.name, new LabHost(state.hosts[host.name]!.init!.pid, programs)]))
      const numbers = Array.from({ length: maxPorts }, (_, index) => firstPortNumber + index)
      for (const [host, one] of hosts) {
        const peers = [...ends].filter(([peer]) => peer !== host).map(([, { ip, mac }]) => ({ ip, mac }))
        await one.do({ do: 'start', end: ends.get(host)!, peers, numbers })
      }
      return new Rig(name, ends, hosts)
    } catch (thrown) {
      await labDown({ name })
      throw thrown
    }
  }

  /** Makes the hosts what a scenario says. */
  async become(scenario: Scenario): Promise<void> {
    if (this.#cut !== null && this.#cut !== scenario.linkDown)
      await labFault({ name: this.#name, host: this.#cut, fault: 'link-up', plane: 'tenant' })
    await Promise.all([...this.hosts].map(([host, one]) => this.#prepare(host, one, scenario)))
    if (scenario.linkDown !== null && scenario.linkDown !== this.#cut)
      await labFault({ name: this.#name, host: scenario.linkDown, fault: 'link-down', plane: 'tenant' })
    this.#cut = scenario.linkDown
  }

  async #prepare(host: string, one: LabHost, { network, flows, portsDown, mtuBytes }: Scenario): Promise<void> {
    const networks = new Map(network.networks.map((each) => [each.name, each]))
    const local = network.ports.filter((port) => port.host === host)
    const guests = local.map((port): GuestSetup => {
      const { subnet, subnet6, gateway, gateway6 } = networks.get(port.network)!
      const six = port.ip6 !== undefined && subnet6 !== undefined
      return {
        ...{ number: port.number, mac: port.mac },
        addresses: [`${port.ip}/${subnet.split('/')[1]}`, ...(six ? [`${port.ip6}/${subnet6.split('/')[1]}`] : [])],
        gateways: [...(gateway === undefined ? [] : [gateway]), ...(six && gateway6 !== undefined ? [gateway6] : [])],
      }
    })
    await one.do({ do: 'mtu', bytes: mtuBytes.get(host) ?? fullMtuBytes })
    await one.do({ do: 'cables', down: [] })
    await one.do({ do: 'network', flows: flows.get(host)!, guests })
    const down = local.filter(({ name }) => portsDown.includes(name)).map(({ number }) => number)
    if (down.length > 0) await one.do({ do: 'cables', down })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.hosts.values()) host[Symbol.dispose]()
    await labDown({ name: this.#name })
  }
}
