import { setTimeout as sleep } from 'node:timers/promises'
import type { BroadcastStatus, VipDoc } from '../../core/contract/desktop/broadcast.ts'
import { hexOf } from '../../core/net/compile/routing.ts'
import { tables } from '../../core/net/compile/tables.ts'
import type { NetworkLab } from '../../bench/network-lab.ts'
import { holdsAddress, startKeepalived, type Keepalived, type VirtualRouter } from '../../lab/keepalived.ts'
import { labCapture, labFault, type LabFault } from '../../lab/lab.ts'
import { clusterDeclaration, places, type Declared, type Guest } from './declaration.ts'
import { asker, receiver, responder, sender } from './guest-programs.ts'

/** How long anything may take to come right, on a machine that others use, too. */
const patienceMs = 60_000
/** What takes longer is told with what was wrong meanwhile. */
const slowMs = 10_000

/** A floating address that is looked at. */
export interface Floating {
  vip: string
  address: string
  /** Guests that ask for it: in its network, and in another one. */
  clients: readonly Guest[]
}

/** A lab of three hosts with the network of the faults in place, and what can be done to it and seen of it. */
export class Rig {
  readonly lab: NetworkLab
  readonly log: (line: string) => void

  constructor(lab: NetworkLab, log: (line: string) => void) {
    this.lab = lab
    this.log = log
  }

  get name(): string {
    return this.lab.lab.name
  }

  get hosts(): string[] {
    return this.lab.lab.hosts.map(({ name }) => name)
  }

  /** Puts the network in place with what is declared beside it. */
  async begin(declared: Declared = {}): Promise<void> {
    await this.lab.apply(clusterDeclaration(declared), { prune: true })
    await this.guestsAnswer()
  }

  /** Every guest runs, and says who it is. */
  async guestsAnswer(): Promise<void> {
    const { network } = await this.lab.services.desktop.network.get({})
    for (const { name } of network.ports) {
      await this.comesTrue(`${name} runs`, async () => ((await this.inside(name, 'true')).code === 0 ? [] : ['it does not']))
      const { stdout } = await this.inside(name, 'ss', '-Hlun', 'sport = :7799')
      if (stdout === '')
        await this.inside(name, 'setsid', '--fork', 'sh', '-c', 'exec python3 -c "$0" "$1" </dev/null >/dev/null 2>&1', responder, name)
    }
  }

  inside(where: string, ...argv: string[]) {
    return labCapture({ name: this.name, host: where, argv })
  }

  async fault(host: string, fault: LabFault): Promise<void> {
    await labFault({ name: this.name, host, fault, ...(fault.startsWith('link') && { plane: 'tenant' as const }) })
  }

  /** Boots a host again, and returns when the cluster is whole and every guest there. */
  async boot(host: string): Promise<void> {
    await this.fault(host, 'power-on')
    await this.lab.settled()
    await this.guestsAnswer()
  }

  /** Starts keepalived in a guest. */
  async claim(guest: Guest, router: VirtualRouter): Promise<Keepalived> {
    // Of a guest that has died: its numbers of processes mean others now.
    await this.inside(places[guest], 'rm', '-rf', `/run/keepalived-${guest}-${router.id}`)
    return await startKeepalived({ name: this.name, host: guest }, router)
  }

  /** Ends every keepalived, and takes away what it may have left. */
  async noClaims(): Promise<void> {
    for (const guest of ['web-1', 'web-2']) {
      await this.inside(guest, 'sh', '-c', 'for pid in $(pgrep -x keepalived); do kill -TERM $pid; done')
      await this.comesTrue(`keepalived in ${guest} has ended`, async () =>
        (await this.inside(guest, 'pgrep', '-x', 'keepalived')).stdout.split('\n').filter(Boolean),
      )
    }
  }

  /** What a guest loses with its cable, though it keeps its address: the way to other networks. */
  async restoreRoutes(guest: Guest): Promise<void> {
    const { network } = await this.lab.services.desktop.network.get({})
    const { network: name, ip6 } = network.ports.find((one) => one.name === guest)!
    const { gateway, gateway6 } = network.networks.find((one) => one.name === name)!
    await this.lab.inside(guest, 'ip', 'address', 'replace', `${ip6}/64`, 'dev', 'eth0', 'nodad')
    for (const via of [gateway, gateway6]) await this.lab.inside(guest, 'ip', 'route', 'replace', 'default', 'via', via!, 'dev', 'eth0')
  }

  async vip(name: string): Promise<VipDoc> {
    const { vips } = await this.lab.services.desktop.broadcast.vips({})
    return vips.find((one) => one.name === name)!
  }

  async broadcast(): Promise<BroadcastStatus> {
    return await this.lab.services.desktop.broadcast.status({})
  }

  /** The guest that answers another one at an address; null: none does. */
  async answers(client: Guest, address: string): Promise<string | null> {
    return (await this.inside(client, 'python3', '-c', asker, address)).stdout || null
  }

  /** The MAC that a host's flows route an address to; null: nowhere. */
  async nextHop(host: string, address: string): Promise<string | null> {
    const { active } = await this.lab.keeper(host)
    const bridge = `unix:/run/holdfast/ovs/${active!.number}/br-int.mgmt`
    const match = address.includes(':') ? `ipv6,xxreg1=${hexOf(address)}` : `ip,reg4=${hexOf(address)}`
    const dump = await this.lab.inside(host, 'ovs-ofctl', '-O', 'OpenFlow15', 'dump-flows', bridge, `table=${tables.nextHop},${match}`)
    return /set_field:([0-9a-f:]{17})->eth_dst/.exec(dump)?.[1] ?? null
  }

  /** What of an address is not with one guest alone: its claimants, what is told of it, every host's flows, who answers clients. */
  async astray({ vip, address, clients }: Floating, guest: Guest, hosts = this.hosts): Promise<string[]> {
    const doc = await this.vip(vip)
    const wrong: string[] = []
    if (doc.owner?.port !== guest) wrong.push(`the store has it at ${doc.owner?.port ?? 'nobody'}`)
    if (doc.owner && doc.owner.host !== places[guest]) wrong.push(`the store has it on ${doc.owner.host}`)
    if (doc.claimants.length > 0) wrong.push(`claimants are ${doc.claimants.map(({ port }) => port).join(' and ')}`)
    for (const place of doc.allowed as Guest[]) {
      const has = await holdsAddress({ name: this.name, host: place }, address).catch(() => false)
      if (has !== (place === guest)) wrong.push(`${place} ${has ? 'has it, too' : 'does not have it'}`)
    }
    return [...wrong, ...(await this.astrayFlows(address, doc.owner?.mac ?? '', hosts)), ...(await this.astrayClients({ address, clients }, guest))]
  }

  async astrayFlows(address: string, mac: string, hosts = this.hosts): Promise<string[]> {
    const hops = await Promise.all(hosts.map(async (host) => [host, await this.nextHop(host, address)] as const))
    return hops.flatMap(([host, hop]) => (hop === mac ? [] : [`flows of ${host} lead to ${hop}, not ${mac}`]))
  }

  async astrayClients({ address, clients }: Pick<Floating, 'address' | 'clients'>, guest: Guest): Promise<string[]> {
    const found = await Promise.all(clients.map(async (client) => [client, await this.answers(client, address)] as const))
    return found.flatMap(([client, from]) => (from === guest ? [] : [`${client} is answered by ${from ?? 'nobody'}`]))
  }

  /** Returns when an address is with one guest, for all; answers after how long. Throws with what is wrong still. */
  async isWith(guest: Guest, floating: Floating, hosts = this.hosts): Promise<number> {
    return await this.comesTrue(`${floating.vip} is with ${guest}`, () => this.astray(floating, guest, hosts))
  }

  /** Returns when nothing is wrong any more, twice in a row; answers after how long. */
  async comesTrue(what: string, wrongs: () => Promise<readonly string[]>): Promise<number> {
    const startMs = performance.now()
    const said: string[] = []
    let well: number | null = null
    for (;;) {
      const askedMs = performance.now()
      const wrong = await wrongs().catch((thrown: unknown) => [(thrown as Error).message])
      const isSame = said.at(-1)?.endsWith(wrong.join('; ')) === true
      if (wrong.length > 0 && !isSame) said.push(`${((askedMs - startMs) / 1000).toFixed(1)} s: ${wrong.join('; ')}`)
      if (wrong.length === 0 && well !== null) {
        if (well - startMs > slowMs) this.log(`slow: ${what}; before: ${said.join(' | ')}`)
        return Math.round(well - startMs)
      }
      well = wrong.length === 0 ? askedMs : null
      if (askedMs - startMs > patienceMs) throw new Error(`Not so within ${patienceMs / 1000} s: ${what}; ${said.join(' | ')}`)
      await sleep(200)
    }
  }

  /**
   * Has a guest send so many numbered datagrams to an address, one each 10 ms, and `meanwhile` happen. Throws unless each of the others got every
   * one of them once.
   */
  async eachOnce(from: Guest, to: readonly Guest[], address: string, count: number, meanwhile: () => Promise<unknown> = () => Promise.resolve()) {
    const port = String(7000 + ++this.#streams)
    const counted = to.map((guest) => this.inside(guest, 'python3', '-c', receiver, port))
    await this.comesTrue('every receiver listens', async () => {
      const found = await Promise.all(to.map((guest) => this.inside(guest, 'ss', '-Hlun', `sport = :${port}`)))
      return found.flatMap(({ stdout }, index) => (stdout === '' ? [to[index]!] : []))
    })
    await Promise.all([this.inside(from, 'python3', '-c', sender, address, port, String(count)), meanwhile()])
    for (const [index, one] of counted.entries()) {
      const got = (await one).stdout.trim()
      if (got !== `${count} 0`) throw new Error(`${to[index]!} got "${got}" (came, twice) of ${count} from ${from} to ${address}`)
    }
  }

  #streams = 0

  /** Processes of a host by the exact name, or by words of the command line. */
  async pids(host: string, ...by: string[]): Promise<string[]> {
    return (await this.inside(host, 'pgrep', ...by)).stdout.split('\n').filter(Boolean)
  }

  async signal(host: string, signal: 'STOP' | 'CONT' | 'KILL', ...by: string[]): Promise<void> {
    const pids = await this.pids(host, ...by)
    if (pids.length === 0) throw new Error(`${host} has no process ${by.join(' ')}`)
    await this.lab.inside(host, 'kill', `-${signal}`, ...pids)
  }
}

/** Throws with what is said unless it is so. */
export function must(is: boolean, what: string): void {
  if (!is) throw new Error(`Not so: ${what}`)
}
