import type { Env } from '../../core/env.ts'
import type { VirtualNetwork } from '../../core/model/network.ts'
import { toHex } from '../../core/net/packet/bytes.ts'
import { arpRequest, unsolicitedAdvertisement } from '../../core/net/packet/compose.ts'
import type { Logger } from '../runtime/logger.ts'
import type { StoredVip } from './desired.ts'
import { ofctl } from './switch/ovs-programs.ts'

/** One may be lost, and Linux takes no other MAC for a neighbour within a second of the last (`locktime` of arp(7)). */
const announcements = 3
const announcementPeriodMs = 600

export interface VipAnnouncerOptions {
  env: Env
  logger: Logger
  virtualSwitch: { target(): string }
  host: string
  desired: { readonly vips: ReadonlyMap<string, StoredVip> }
}

/**
 * Announces VIPs that are at ports of this host and that the guest does not announce, because the platform gave it to it, or because after a split
 * it went on as if nothing had happened: by gratuitous ARP (RFC 5227 §3) or an unsolicited neighbour advertisement, so that
 * neighbours that know the address under the MAC before take the new one. The switch sends them as if the guest had.
 */
export class VipAnnouncer {
  readonly #options: VipAnnouncerOptions
  /** Revision that each VIP was last announced at. */
  readonly #announced = new Map<string, number>()
  /** By VIP. */
  readonly #waiting = new Map<string, Disposable>()

  constructor(options: VipAnnouncerOptions) {
    this.#options = options
  }

  /** The switch has the network in place. */
  placed({ vips, ports }: VirtualNetwork): void {
    const { desired, host } = this.#options
    for (const { name, ip, network, healthCheck } of vips) {
      const stored = desired.vips.get(name)
      const owner = stored?.record.owner
      const port =
        healthCheck || owner?.unannounced ? ports.find((one) => one.name === owner?.port && one.network === network && one.host === host) : undefined
      if (port && this.#announced.get(name) === stored!.revision) continue
      this.#waiting.get(name)?.[Symbol.dispose]()
      this.#waiting.delete(name)
      this.#announced.delete(name)
      if (!port) continue
      this.#announced.set(name, stored!.revision)
      const end = { mac: owner!.mac, ip }
      this.#announce(name, port.number, toHex(ip.includes(':') ? unsolicitedAdvertisement(end) : arpRequest(end, ip)), announcements)
    }
  }

  stop(): void {
    for (const timer of this.#waiting.values()) timer[Symbol.dispose]()
    this.#waiting.clear()
    this.#announced.clear()
  }

  #announce(vip: string, port: number, frame: string, times: number): void {
    const { env, logger, virtualSwitch } = this.#options
    ofctl(['packet-out', virtualSwitch.target(), `in_port=${port},packet=${frame},actions=table`]).catch((cause: unknown) =>
      logger.warn('a VIP was not announced', { vip, cause }),
    )
    if (times > 1)
      this.#waiting.set(
        vip,
        env.after(announcementPeriodMs, () => this.#announce(vip, port, frame, times - 1)),
      )
  }
}
