import { describe, expect, it } from 'vitest'
import { HoldfastError } from '../../core/errors.ts'
import type { Entry, Look, TapEvent, TapPoint } from '../../core/contract/agent/network.ts'
import { traceRequestSchema, type TraceRequest } from '../../core/model/trace.ts'
import { compileHost } from '../../core/net/compile/compile.ts'
import { flowLine } from '../../core/net/openflow/flow.ts'
import { fromHex, toHex } from '../../core/net/packet/bytes.ts'
import { icmpEcho } from '../../core/net/packet/compose.ts'
import { parseFrame } from '../../core/net/packet/parse.ts'
import { shop, testWorld } from '../../core/net/trace/test-world.ts'
import type { AgentClient } from '../deploy/clusters.ts'
import { traceLive } from './live-trace.ts'

const world = testWorld(`${shop}  - {name: vm-1, network: db, ip: 10.20.2.13, host: h2, attach: {kind: vm, vm: big}}\n`)
const there = ['h1/tenant', 'h2/tenant', 'h2/db-1']
const back = ['h2/db-1', 'h2/tenant', 'h1/tenant', 'h1/web-1']

interface Behaviour {
  /** Where a frame is seen on its way there, and its answer on its way back. */
  seen?: (frame: Uint8Array) => { there: string[]; back: string[] }
  look?: Partial<Record<string, Partial<Look>>>
  /** Hosts whose agents cannot be reached. */
  gone?: string[]
}

/** Agents of a cluster in which all is well but for what is said. */
function cluster({ seen = () => ({ there, back }), look = {}, gone = [] }: Behaviour = {}) {
  const taps = new Map<string, (frame: Uint8Array) => void>()
  const said = { injected: [] as string[], explained: [] as { host: string; entry: Entry; frame: string }[], forgotten: [] as object[] }
  const agent = (host: string) => ({
    network: {
      look: () =>
        Promise.resolve({
          ...{
            flows: compileHost(world.index, host).map(flowLine),
            problem: null,
            portsDown: [],
            nic: { name: 'tenant', carrier: true, mtuBytes: 9000 },
          },
          ...look[host],
        }),
      tap: ({ points }: { points: TapPoint[] }, { signal }: { signal: AbortSignal }) => Promise.resolve(events(points, signal)),
      inject: ({ frame }: { frame: string }) => {
        said.injected.push(frame)
        const bytes = fromHex(frame)
        const { ip, transport } = parseFrame(bytes)!
        const places = seen(bytes)
        for (const place of places.there) taps.get(place)?.(bytes)
        if (transport?.kind === 'icmp') {
          const [id, seq] = [transport.rest >>> 16, transport.rest & 0xffff]
          const reply = icmpEcho({ mac: '0e:00:00:00:00:02', ip: ip!.dst }, { mac: '0e:00:00:00:00:01', ip: ip!.src }, { id, seq, reply: true })
          for (const place of places.back) taps.get(place)?.(reply)
        }
        return Promise.resolve({ atUs: 1 })
      },
      explain: (input: { entry: Entry; frame: string }) => {
        said.explained.push({ host, ...input })
        return Promise.resolve({ text: `said by ${host}` })
      },
      forget: (input: object) => {
        said.forgotten.push(input)
        return Promise.resolve({})
      },
    },
  })
  async function* events(points: TapPoint[], signal: AbortSignal): AsyncGenerator<TapEvent> {
    const waiting: TapEvent[] = points.map(({ id }) => ({ type: 'armed', point: id, failure: null }))
    let wake = (): void => undefined
    signal.addEventListener('abort', () => wake())
    for (const { id } of points) {
      taps.set(id, (frame) => {
        waiting.push({ type: 'packet', point: id, atUs: 2, bytes: frame.length, frame: toHex(frame) })
        wake()
      })
    }
    while (!signal.aborted) {
      yield* waiting.splice(0)
      await new Promise<void>((resolve) => (wake = resolve))
    }
  }
  const agentOf = (host: string) =>
    gone.includes(host) ? new HoldfastError('offline', `${host} does not answer`, '') : (agent(host) as unknown as AgentClient)
  const trace = (asked: Partial<TraceRequest> = {}) => traceLive(world, traceRequestSchema.parse({ from: 'web-1', to: 'db-1', ...asked }), agentOf)
  return { trace, said }
}

describe('a live trace', () => {
  it('says what was seen, and what each switch on the way says of the very frame', async () => {
    const { trace, said } = cluster()
    const { verdict, hops, sent } = await trace()
    expect(verdict).toBe('delivered')
    expect(hops.filter(({ device }) => device === 'br-int').map(({ leg, explanation }) => `${leg} ${explanation}`)).toEqual([
      ...['forward said by h1', 'forward said by h2', 'return said by h2', 'return said by h1'],
    ])
    expect(said.injected).toEqual([sent])
    expect(said.explained.find(({ host, entry }) => host === 'h1' && 'port' in entry)).toMatchObject({ entry: { port: 'web-1' }, frame: sent })
    const vni = world.index.networks.get('db')!.vni
    expect(said.explained.find(({ host, entry }) => host === 'h2' && 'tunnel' in entry)?.entry).toEqual({
      ...{ tunnel: 'vxlan', vni, src: '10.83.5.11', dst: '10.83.5.12' },
    })
  })

  it('has conntrack forget the packet at both ends', async () => {
    const { trace, said } = cluster()
    const { sent } = await trace()
    const echo = parseFrame(fromHex(sent!))!.transport as { rest: number }
    const tuple = { src: '10.20.1.11', dst: '10.20.2.11', protocol: 1, echoId: echo.rest >>> 16 }
    expect(said.forgotten).toEqual([{ ports: ['web-1'], ...tuple }, { ports: ['db-1'], ...tuple }]) // prettier-ignore
  })

  it('sends a frame as it is given', async () => {
    const { trace, said } = cluster()
    const first = await trace()
    const frame = first.sent!.replace(/..$/, '00')
    const { verdict } = await trace({ to: '', frame })
    expect(verdict).toBe('delivered')
    expect(said.injected.at(-1)).toBe(frame)
  })

  it('takes a switch that does not answer for one that is down, and a missing NIC for missing', async () => {
    const hung = cluster({ look: { h2: { flows: null, problem: 'it hangs' } }, seen: () => ({ there: ['h1/tenant', 'h2/tenant'], back: [] }) })
    expect((await hung.trace()).drop).toMatchObject({ host: 'h2', device: 'br-int', reason: 'switch-down', object: 'forwarding/h2' })
    const bare = cluster({ look: { h2: { nic: null } }, seen: () => ({ there: ['h1/tenant'], back: [] }) })
    expect((await bare.trace()).drop).toMatchObject({ host: 'h2', device: 'tenant', reason: 'nic-missing', object: 'nic/h2/tenant' })
  })

  it('finds out by a small packet that a large one was lost for its size', async () => {
    const seen = (frame: Uint8Array) => (frame.length > 1000 ? { there: ['h1/tenant'], back: [] } : { there, back })
    const { trace, said } = cluster({ seen })
    expect((await trace({ sizeBytes: 1300 })).drop).toMatchObject({ host: 'tor1', reason: 'mtu', object: 'link/tor1--tor2' })
    expect(said.injected).toHaveLength(2)
  })

  it('is of unknown outcome where the sender’s agent cannot be asked', async () => {
    expect(await cluster({ gone: ['h1'] }).trace()).toMatchObject({
      verdict: 'unknown',
      drop: null,
      limit: expect.stringContaining('h1 does not answer'),
    })
  })

  it('refuses to send what an application would get, and says why', async () => {
    const { trace, said } = cluster()
    const refused = { code: 'not-supported', hint: expect.stringContaining('simulated') }
    await expect(trace({ to: 'vm-1', proto: 'udp', dport: 53 })).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('attached as vm'),
    })
    await expect(trace({ to: '10.20.1.255', proto: 'udp' })).rejects.toMatchObject(refused)
    await expect(trace({ from: 'host:h1', to: 'host:h2', proto: 'udp' })).rejects.toMatchObject(refused)
    expect(said.injected).toEqual([])
    // Unless somebody wants it to.
    await trace({ to: 'vm-1', proto: 'udp', dport: 53, deliver: true })
    expect(said.injected).toHaveLength(1)
    // A SYN reaches no application.
    expect(
      (await cluster({ seen: () => ({ there: ['h1/tenant', 'h2/tenant', 'h2/vm-1'], back: [] }) }).trace({ to: 'vm-1', proto: 'tcp', dport: 80 }))
        .verdict,
    ).toBe('unknown')
  })
})
