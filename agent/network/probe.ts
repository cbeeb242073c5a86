import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Entry, Look, TapEvent, TapPoint } from '../../core/contract/agent/network.ts'
import { asHoldfastError, HoldfastError } from '../../core/errors.ts'
import type { Port } from '../../core/model/network.ts'
import { switchPorts } from '../../core/net/compile/tables.ts'
import { flowLine } from '../../core/net/openflow/flow.ts'
import { protocols } from '../../core/net/packet/packet.ts'
import { frameFlow } from '../../core/net/trace/frame-flow.ts'
import type { AgentConfig, AgentPaths } from '../runtime/config.ts'
import { readPidFile } from '../runtime/process.ts'
import { BridgeMirror } from './capture-mirror.ts'
import type { Forwarder } from './forwarder.ts'
import { deviceOf, hasCarrier } from './local-ports.ts'
import { sendFrame } from './send-frame.ts'
import { swallow } from './swallow.ts'
import { underlayOf } from './underlay.ts'
import { ofctl } from './switch/ovs-programs.ts'
import { switchPaths } from './switch/switch-paths.ts'
import { endLeftTaps } from './tap.ts'
import { tapSession, type TapDevice } from './tap-session.ts'

/** How long the switch may take to say its flows. */
const lookMs = 3000

/** A connection that conntrack is to forget. */
export interface Connection {
  src: string
  dst: string
  protocol: number
  sport?: number | undefined
  dport?: number | undefined
  echoId?: number | undefined
}

/** What a trace and a capture do on one host: look at the switch, send a packet into it, tap devices. */
export class Probe {
  readonly #forwarder: Forwarder
  readonly #config: AgentConfig
  readonly #paths: AgentPaths
  readonly #mirror: BridgeMirror
  /** What ends each tap that has a name. */
  readonly #endings = new Map<string, AbortController>()

  constructor(forwarder: Forwarder, config: AgentConfig, paths: AgentPaths) {
    this.#forwarder = forwarder
    this.#config = config
    this.#paths = paths
    this.#mirror = new BridgeMirror(switchPaths(paths.run, paths.log), () => forwarder.switch.status())
  }

  /** Removes what taps of a process before this one have left behind. */
  async removeLeftovers(): Promise<void> {
    await endLeftTaps(this.#paths.run)
    await this.#mirror.removeLeftovers()
  }

  /** How this host forwards at this moment. */
  async look(): Promise<Look> {
    const { nic } = underlayOf(this.#config)
    const late = sleep(lookMs, null, { ref: false }).then(() => {
      throw new HoldfastError('timeout', `The virtual switch does not answer within ${lookMs} ms`, 'It hangs, or the machine starves.')
    })
    const answer = await Promise.race([this.#forwarder.switch.readFlows(), late]).catch((thrown: unknown) => asHoldfastError(thrown))
    return {
      ...(answer instanceof HoldfastError ? { flows: null, problem: answer.message } : { flows: answer.map(flowLine), problem: null }),
      portsDown: this.#forwarder.portsDown,
      nic: existsSync(`/sys/class/net/${nic}`) ? { name: nic, carrier: hasCarrier(nic), mtuBytes: mtuOf(nic) } : null,
    }
  }

  /**
   * Sends a frame through the pipeline as if a port had sent it, or out of a NIC. Answers when, in microseconds of this host's clock.
   * Throws `not-found` for a port or a NIC that there is not.
   */
  async inject(input: { port: string; frame: string } | { nic: string; frame: string }): Promise<number> {
    const atUs = Math.round((performance.timeOrigin + performance.now()) * 1000)
    if ('nic' in input) {
      sendFrame(this.#knownNic(input.nic), Buffer.from(input.frame, 'hex'))
      return atUs
    }
    const { number } = this.#forwarder.localPort(input.port)
    await ofctl(['packet-out', this.#forwarder.switch.target(), `in_port=${number},packet=${input.frame},actions=table`])
    return atUs
  }

  /** What the switch says that it would do with a frame. */
  explain(entry: Entry, frame: string): Promise<string> {
    const from =
      'port' in entry
        ? `in_port=${this.#forwarder.localPort(entry.port).number}`
        : `in_port=${switchPorts[entry.tunnel]},tun_id=${entry.vni},tun_src=${entry.src},tun_dst=${entry.dst}`
    return this.#forwarder.switch.control('ofproto/trace', 'br-int', `${from},${frameFlow(Buffer.from(frame, 'hex'))}`)
  }

  /**
   * Makes conntrack forget a connection in the zones of these ports. One of ICMPv6 is left to end by itself, within a minute: to be asked to
   * forget one ends ovs-vswitchd 3.1 (it aborts on the types of ICMPv6).
   */
  async forget(names: readonly string[], { src, dst, protocol, sport, dport, echoId }: Connection): Promise<void> {
    const six = src.includes(':')
    if (protocol === protocols.icmp6) return
    const tuple = [
      `ct_${six ? 'ipv6' : 'nw'}_src=${src}`,
      `ct_${six ? 'ipv6' : 'nw'}_dst=${dst}`,
      `ct_nw_proto=${protocol}`,
      ...(sport === undefined ? [] : [`ct_tp_src=${sport}`]),
      ...(dport === undefined ? [] : [`ct_tp_dst=${dport}`]),
      ...(echoId === undefined ? [] : [`icmp_id=${echoId}`, 'icmp_type=8', 'icmp_code=0']),
    ].join(',')
    for (const name of names) {
      const zone = this.#forwarder.localPort(name).number
      // There may be none: then there is nothing to forget.
      await this.#forwarder.switch.control('dpctl/flush-conntrack', `zone=${zone}`, tuple).catch(() => undefined)
    }
  }

  /** See `tapSession`. Ports in `swallowed` keep what is tapped at them from their guests. */
  async *tap(
    input: { points: TapPoint[]; ms: number; snapBytes: number; maxBytes: number; swallow: string[]; session?: string | undefined },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<TapEvent, void, undefined> {
    await using standing = new AsyncDisposableStack()
    const ending = new AbortController()
    const { session } = input
    if (session !== undefined) {
      this.#endings.set(session, ending)
      standing.defer(() => void this.#endings.delete(session))
    }
    for (const { place, filter } of input.points) {
      if (place.kind !== 'port' || !input.swallow.includes(place.port)) continue
      standing.use(await swallow({ enter: this.#enterGuest(this.#forwarder.localPort(place.port)), device: 'eth0', filter }))
    }
    const deviceOf = (point: TapPoint): TapDevice | Promise<TapDevice> => this.#deviceOf(point, input.swallow, standing)
    yield* tapSession({ ...input, run: this.#paths.run, signal, ending: ending.signal, deviceOf })
  }

  /** Has a tap end before its time and tell what it has counted. */
  endTap(session: string): void {
    this.#endings.get(session)?.abort()
  }

  async #deviceOf({ place }: TapPoint, swallowed: readonly string[], standing: AsyncDisposableStack): Promise<TapDevice> {
    switch (place.kind) {
      case 'nic':
        return { device: this.#knownNic(place.nic), enter: [], inside: place.inside ?? false }
      case 'bridge':
        return { device: standing.use(await this.#mirror.hold()).device, enter: [] }
      case 'tunnel': {
        const { nics, addresses } = this.#config
        const device = nics.tenant !== undefined && addresses.tenant !== undefined ? nics.tenant : nics.mgmt
        const { tunnel: type, vni } = this.#forwarder.network(place.network)
        return { device, enter: [], tunnel: { type, vni } }
      }
      case 'port': {
        const port = this.#forwarder.localPort(place.port)
        return swallowed.includes(place.port) ? { device: 'eth0', enter: this.#enterGuest(port) } : { device: deviceOf(port), enter: [] }
      }
    }
  }

  /** A NIC by its name: an Ethernet device of the host that is not the virtual switch's. Throws `not-found`. */
  #knownNic(name: string): string {
    const known = readdirSync('/sys/class/net').filter((device) => !device.startsWith('hf') && isEthernet(device))
    if (known.includes(name)) return name
    throw new HoldfastError('not-found', `${this.#config.host} has no NIC ${name}`, `Its NICs are ${known.join(', ')}.`, { nic: name })
  }

  /** How to run a program in the network namespace of a light guest. Throws `not-supported` for other guests. */
  #enterGuest(port: Port): string[] {
    const init = port.attach.kind === 'netns' ? readPidFile(join(this.#paths.run, `guest-${port.name}.pid`)) : null
    if (init) return ['nsenter', '--target', String(init.pid), '--net', '--']
    throw new HoldfastError(
      'not-supported',
      `What goes to ${port.name} cannot be kept from its guest`,
      'Trace ICMP, or TCP, which no application gets to see.',
    )
  }
}

function mtuOf(nic: string): number {
  return Number(readFileSync(`/sys/class/net/${nic}/mtu`, 'utf8'))
}

/** ARPHRD_ETHER of linux/if_arp.h. */
function isEthernet(device: string): boolean {
  try {
    return readFileSync(`/sys/class/net/${device}/type`, 'utf8').trim() === '1'
  } catch {
    return false
  }
}
