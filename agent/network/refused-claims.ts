import type { Env } from '../../core/env.ts'
import type { VirtualNetwork } from '../../core/model/network.ts'
import { FlowOwners } from '../../core/net/compile/cookie.ts'
import { tables } from '../../core/net/compile/tables.ts'
import type { EventLog } from '../runtime/events.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Store } from '../store/store.ts'
import { networkKeys, type RefusedDoc } from './documents.ts'
import { parseFlowDump, type FlowStats } from './switch/flow-changes.ts'
import { ofctl } from './switch/ovs-programs.ts'
import type { VirtualSwitch } from './switch/virtual-switch.ts'

export const refusedPeriodMs = 1000
/** A port that claims all the time is told of this often. */
const tellPeriodMs = 60_000

/** Claims to floating addresses that were dropped at ports that may not have them: by VIP and port, from the flows of port security. */
export function claimsRefused(flows: Iterable<FlowStats>, network: VirtualNetwork): Map<string, { vip: string; port: string; count: number }> {
  const owners = new FlowOwners(network)
  const found = new Map<string, { vip: string; port: string; count: number }>()
  for (const { cookie, match, packets } of flows) {
    const known = owners.find(cookie)
    if (known?.reason !== 'vip-claim' || packets === 0) continue
    const ip = /(?:arp_spa|nd_target)=([^,]+)/.exec(match)?.[1]
    const port = network.ports.find(({ name }) => name === known.owner.name)
    const vip = network.vips.find((one) => one.ip === ip && one.network === port?.network)
    if (vip && port) found.set(`${vip.name} ${port.name}`, { vip: vip.name, port: port.name, count: packets })
  }
  return found
}

/** Counts what ports of this host claim that they may not have, raises it as an event that names port and guest, and tells the store. */
export class RefusedClaims {
  readonly #options: { virtualSwitch: VirtualSwitch; events: EventLog; env: Env; logger: Logger; store: Store; host: string }
  /** Counters of flows when they were last read. */
  readonly #flows = new Map<string, number>()
  readonly #toldAtMs = new Map<string, number>()
  #doc: RefusedDoc | null = null
  #looking = false

  constructor(options: { virtualSwitch: VirtualSwitch; events: EventLog; env: Env; logger: Logger; store: Store; host: string }) {
    this.#options = options
  }

  /** To be called every `refusedPeriodMs`. `before`: what this host told the store. Costs nothing where there is no VIP. */
  async look(network: VirtualNetwork, before: RefusedDoc): Promise<void> {
    const { virtualSwitch, env, logger, store, host } = this.#options
    if (this.#looking || network.vips.length === 0) return
    this.#looking = true
    try {
      const dump = await ofctl(['dump-flows', virtualSwitch.target(), `table=${tables.portSecurity}`])
      const doc = structuredClone(this.#doc ?? before)
      let news = false
      for (const [key, { vip, port, count }] of claimsRefused(parseFlowDump(dump), network)) {
        const last = this.#flows.get(key) ?? 0
        this.#flows.set(key, count)
        // A counter begins anew with a flow that was replaced.
        const more = count >= last ? count - last : count
        if (more === 0) continue
        news = true
        const claims = (doc[vip] ??= [])
        const known = claims.find((claim) => claim.port === port)
        const atMs = Math.trunc(env.wallMs())
        if (known) Object.assign(known, { count: known.count + more, atMs })
        else claims.push({ port, count: more, atMs })
        this.#tell(network, vip, port, more)
      }
      if (!news) return
      await store.change([], [{ put: networkKeys.refused(host), value: doc }])
      this.#doc = doc
    } catch (cause) {
      logger.warn('refused claims to floating addresses were not told', { cause })
    } finally {
      this.#looking = false
    }
  }

  #tell(network: VirtualNetwork, vip: string, port: string, count: number): void {
    const { env, events, host } = this.#options
    const key = `${vip} ${port}`
    if (env.monotonicMs() - (this.#toldAtMs.get(key) ?? -Infinity) < tellPeriodMs) return
    this.#toldAtMs.set(key, env.monotonicMs())
    const attach = network.ports.find(({ name }) => name === port)?.attach
    const guest =
      attach?.kind === 'vm' ? `VM ${String(attach.vm)}` : attach?.kind === 'vlan' ? `the server at VLAN ${String(attach.vlan)}` : `guest ${port}`
    const { ip } = network.vips.find(({ name }) => name === vip)!
    const message = `Port ${port} on ${host} (${guest}) claims ${ip}, which is VIP ${vip}; it may not have it, and was not heard`
    events.emit('vip-claim-refused', 'warning', message, [`port/${port}`, `vip/${vip}`, `host/${host}`], { count })
  }
}
