import { join } from 'node:path'
import type { TapEvent, TapPoint } from '../../core/contract/agent/network.ts'
import { HoldfastError } from '../../core/errors.ts'
import type { Port } from '../../core/model/network.ts'
import { flowLine } from '../../core/net/openflow/flow.ts'
import type { AgentConfig, AgentPaths } from '../runtime/config.ts'
import { readPidFile } from '../runtime/process.ts'
import type { Forwarder } from './forwarder.ts'
import { deviceOf } from './local-ports.ts'
import { swallow } from './swallow.ts'
import { ofctl } from './switch/ovs-programs.ts'
import { tapSession, type TapDevice } from './tap-session.ts'

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

  constructor(forwarder: Forwarder, config: AgentConfig, paths: AgentPaths) {
    this.#forwarder = forwarder
    this.#config = config
    this.#paths = paths
  }

  /** The flows that are really there. */
  async flows(): Promise<string[]> {
    return (await this.#forwarder.switch.readFlows()).map(flowLine)
  }

  /** Sends a frame through the pipeline as if a port had sent it. Answers when, in microseconds of this host's clock. */
  async inject(name: string, frame: string): Promise<number> {
    const { number } = this.#forwarder.localPort(name)
    const atUs = Math.round((performance.timeOrigin + performance.now()) * 1000)
    await ofctl(['packet-out', this.#forwarder.switch.target(), `in_port=${number},packet=${frame},actions=table`])
    return atUs
  }

  /** What the switch says that it would do with a frame. */
  explain(name: string, frame: string): Promise<string> {
    return this.#forwarder.switch.control('ofproto/trace', 'br-int', `in_port=${this.#forwarder.localPort(name).number}`, frame)
  }

  /** Makes conntrack forget a connection in the zones of these ports. */
  async forget(names: readonly string[], { src, dst, protocol, sport, dport, echoId }: Connection): Promise<void> {
    const six = src.includes(':')
    const tuple = [
      `ct_${six ? 'ipv6' : 'nw'}_src=${src}`,
      `ct_${six ? 'ipv6' : 'nw'}_dst=${dst}`,
      `ct_nw_proto=${protocol}`,
      ...(sport === undefined ? [] : [`ct_tp_src=${sport}`]),
      ...(dport === undefined ? [] : [`ct_tp_dst=${dport}`]),
      ...(echoId === undefined ? [] : [`icmp_id=${echoId}`, `icmp_type=${six ? 128 : 8}`, 'icmp_code=0']),
    ].join(',')
    for (const name of names) {
      const zone = this.#forwarder.localPort(name).number
      // There may be none: then there is nothing to forget.
      await this.#forwarder.switch.control('dpctl/flush-conntrack', `zone=${zone}`, tuple).catch(() => undefined)
    }
  }

  /** See `tapSession`. Ports in `swallowed` keep what is tapped at them from their guests. */
  async *tap(
    input: { points: TapPoint[]; ms: number; snapBytes: number; maxBytes: number; swallow: string[] },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<TapEvent, void, undefined> {
    await using swallowing = new AsyncDisposableStack()
    const session = tapSession({ ...input, signal, deviceOf: (point) => this.#deviceOf(point, input.swallow) })
    for (const { place, filter } of input.points) {
      if (place.kind !== 'port' || !input.swallow.includes(place.port)) continue
      swallowing.use(await swallow({ enter: this.#enterGuest(this.#forwarder.localPort(place.port)), device: 'eth0', filter }))
    }
    yield* session
  }

  #deviceOf({ place }: TapPoint, swallowed: readonly string[]): TapDevice {
    if (place.kind === 'nic') {
      const known = Object.values(this.#config.nics) as string[]
      if (known.includes(place.nic)) return { device: place.nic, enter: [] }
      throw new HoldfastError('not-found', `${this.#config.host} has no NIC ${place.nic} for a plane`, `Its NICs are ${known.join(', ')}.`, {
        nic: place.nic,
      })
    }
    const port = this.#forwarder.localPort(place.port)
    return swallowed.includes(place.port) ? { device: 'eth0', enter: this.#enterGuest(port) } : { device: deviceOf(port), enter: [] }
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
