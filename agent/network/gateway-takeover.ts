import type { Env } from '../../core/env.ts'
import { indexNetwork, type NetworkIndex, type VipPlace } from '../../core/net/compile/view.ts'
import { gatewayWatchPortOf } from '../../core/net/compile/groups.ts'
import type { Vlan } from '../../core/net/compile/vlans.ts'
import { arpRequest, type End } from '../../core/net/packet/compose.ts'
import type { EventLog } from '../runtime/events.ts'
import type { Logger } from '../runtime/logger.ts'
import type { BroadcastPlace } from './broadcast-part.ts'
import { sendFrame } from './send-frame.ts'
import { watchDevice } from './switch/ports.ts'
import type { VirtualSwitch } from './switch/virtual-switch.ts'

const lookMs = 200

/** Which watched ports are live, from what `bfd/show` of ovs-vswitchd(8) prints. */
export function liveWatches(text: string): Set<number> {
  const live = new Set<number>()
  let port: number | null = null
  for (const line of text.split('\n')) {
    const name = /^---- (\S+) ----$/.exec(line)?.[1]
    if (name !== undefined) port = name.startsWith(watchDevice) ? Number(name.slice(watchDevice.length)) : null
    else if (port !== null && /^\s*Forwarding: true/.test(line)) live.add(port)
  }
  return live
}

/** What goes out into a VLAN that this gateway takes over: so the physical switches learn that all that is behind the network is here now. */
export function takeoverFrames(index: NetworkIndex, { network, nic, vlan }: Vlan, owners: ReadonlyMap<string, VipPlace>): Buffer[] {
  const ports = index.portsOf.get(network.name) ?? []
  const isInside = (name: string): boolean => {
    const attach = index.ports.get(name)?.attach
    return attach?.kind === 'vlan' && attach.nic === nic && attach.vlan === vlan
  }
  const router = index.routerOf.get(network.name)
  const ends: End[] = [
    ...ports.filter(({ name }) => !isInside(name)).map(({ mac, ip }) => ({ mac, ip })),
    ...(router && network.gateway !== undefined ? [{ mac: router.mac, ip: network.gateway }] : []),
    ...(index.vipsOf.get(network.name) ?? []).flatMap(({ name, ip }) => {
      const owner = owners.get(name)
      return owner && !ip.includes(':') && !isInside(owner.port) ? [{ mac: owner.mac, ip }] : []
    }),
  ]
  return ends.map((end) => tagged(Buffer.from(arpRequest(end, end.ip)), vlan))
}

/** IEEE 802.1Q. */
function tagged(frame: Buffer, vlan: number): Buffer {
  const tag = Buffer.alloc(4)
  tag.writeUInt16BE(0x8100, 0)
  tag.writeUInt16BE(vlan, 2)
  return Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)])
}

/** Announces what is behind a VLAN when this host becomes the gateway that forwards there. Forwarding itself does not wait for it. */
export class GatewayTakeover {
  readonly #options: { virtualSwitch: VirtualSwitch; events: EventLog; env: Env; logger: Logger; host: string }
  /** VLANs that this host forwarded when it was last looked. */
  #forwards = new Set<string>()
  #index: { place: BroadcastPlace; index: NetworkIndex } | null = null
  #timer: Disposable | null = null
  #looking = false

  constructor(options: { virtualSwitch: VirtualSwitch; events: EventLog; env: Env; logger: Logger; host: string }) {
    this.#options = options
  }

  /** `place`, `owners`: what is in place now. */
  start(place: () => BroadcastPlace | null, owners: () => ReadonlyMap<string, VipPlace>): void {
    this.#timer ??= this.#options.env.every(lookMs, () => void this.#look(place(), owners()))
  }

  stop(): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = null
  }

  async #look(place: BroadcastPlace | null, owners: ReadonlyMap<string, VipPlace>): Promise<void> {
    const { virtualSwitch, host, logger } = this.#options
    if (this.#looking || !place) return
    if (this.#index?.place !== place) this.#index = { place, index: indexNetwork({ network: place.network, hosts: place.ends }) }
    const { index } = this.#index
    const mine = index.vlans.filter(({ gateways }) => gateways.includes(host))
    if (mine.length === 0) return
    this.#looking = true
    try {
      const live = liveWatches(await virtualSwitch.control('bfd/show'))
      const forwards = mine.filter(({ gateways }) =>
        gateways.slice(0, gateways.indexOf(host)).every((name) => !live.has(gatewayWatchPortOf(index.watched, name) ?? -1)),
      )
      const before = this.#forwards
      this.#forwards = new Set(forwards.map(keyOf))
      for (const vlan of forwards) if (!before.has(keyOf(vlan))) this.#announce(index, vlan, owners)
    } catch (cause) {
      logger.warn('which gateway forwards could not be seen', { cause })
    } finally {
      this.#looking = false
    }
  }

  #announce(index: NetworkIndex, vlan: Vlan, owners: ReadonlyMap<string, VipPlace>): void {
    const { events, host } = this.#options
    for (const frame of takeoverFrames(index, vlan, owners)) sendFrame(vlan.nic, frame)
    const about = [`host/${host}`, `network/${vlan.network.name}`]
    events.emit('gateway-forwards', 'info', `${host} is the gateway of VLAN ${vlan.vlan} of ${vlan.nic} now, for network ${vlan.network.name}`, about)
  }
}

function keyOf({ network, nic, vlan }: Vlan): string {
  return `${network.name} ${nic} ${vlan}`
}
