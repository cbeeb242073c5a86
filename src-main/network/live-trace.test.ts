import { describe, expect, it } from 'vitest'
import { HoldfastError } from '../../core/errors.ts'
import type { Entry, Look, TapEvent, TapPoint } from '../../core/contract/agent/network.ts'
import { traceRequestSchema, type TraceRequest } from '../../core/model/trace.ts'
import { nodesFor } from '../../core/net/broadcast/nodes.ts'
import { compileHost } from '../../core/net/compile/compile.ts'
import { watchPortOf } from '../../core/net/compile/groups.ts'
import { flowLine } from '../../core/net/openflow/flow.ts'
import { fromHex, toHex } from '../../core/net/packet/bytes.ts'
import { arpReply, icmpEcho } from '../../core/net/packet/compose.ts'
import { parseFrame } from '../../core/net/packet/parse.ts'
import { shop, testWorld } from '../../core/net/trace/test-world.ts'
import type { World } from '../../core/net/trace/world.ts'
import type { AgentClient } from '../deploy/clusters.ts'
import { traceLive } from './live-trace.ts'

const shopWorld = testWorld(`${shop}  - {name: vm-1, network: db, ip: 10.20.2.13, host: h2, attach: {kind: vm, vm: big}}\n`)
const there = ['h1/tenant', 'h2/tenant', 'h2/db-1']
const back = ['h2/db-1', 'h2/tenant', 'h1/tenant', 'h1/web-1']

interface Behaviour {
  world?: World
  /** Where a frame is seen on its way there, and its answer on its way back. */
  seen?: (frame: Uint8Array) => { there: string[]; back: string[] }
  look?: Partial<Record<string, Partial<Look>>>
  /** Hosts whose agents cannot be reached. */
  gone?: string[]
  /** What each switch says that it would do. */
  explained?: (host: string) => string
}

const saidBy = (host: string): string => `said by ${host}`

/** Agents of a cluster in which all is well but for what is said. */
function cluster({ world = shopWorld, seen = () => ({ there, back }), look = {}, gone = [], explained = saidBy }: Behaviour = {}) {
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
        const { arp, ip, transport } = parseFrame(bytes)!
        const places = seen(bytes)
        for (const place of places.there) taps.get(place)?.(bytes)
        if (transport?.kind === 'icmp') {
          const [id, seq] = [transport.rest >>> 16, transport.rest & 0xffff]
          const reply = icmpEcho({ mac: '0e:00:00:00:00:02', ip: ip!.dst }, { mac: '0e:00:00:00:00:01', ip: ip!.src }, { id, seq, reply: true })
          for (const place of places.back) taps.get(place)?.(reply)
        }
        if (arp) {
          const reply = arpReply({ mac: '00:00:5e:00:01:33', ip: arp.tpa }, { mac: arp.sha, ip: arp.spa })
          for (const place of places.back) taps.get(place)?.(reply)
        }
        return Promise.resolve({ atUs: 1 })
      },
      explain: (input: { entry: Entry; frame: string }) => {
        said.explained.push({ host, ...input })
        return Promise.resolve({ text: explained(host) })
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
    const vni = shopWorld.index.networks.get('db')!.vni
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

describe('a live trace of a question for a VIP', () => {
  const hall = `
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, broadcast: cluster}
vips:
  - {name: web-vip, network: web, ip: 10.20.1.100, ports: [web-4]}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, host: h2, attach: {kind: netns}}
  - {name: web-3, network: web, ip: 10.20.1.13, host: h3, attach: {kind: netns}}
  - {name: web-4, network: web, ip: 10.20.1.14, host: h4, attach: {kind: netns}}
`
  const world = testWorld(hall, { hosts: 4, owners: { 'web-vip': { port: 'web-4', mac: '00:00:5e:00:01:33' } } })
  const nodes = nodesFor(world.index.networks.get('web')!.vni, world.index.nodes)
  const [first, second] = nodes.map(({ host }) => host) as [string, string]
  const asked = { from: 'web-3', to: 'web-vip', proto: 'arp' } as const
  /** Taps that see it when `node` replicates: its NIC sees it come in, and three copies leave. */
  const through = (node: string, lost: readonly string[] = []) => {
    const members = ['h1', 'h2', 'h4'].filter((host) => !lost.includes(host))
    const cables = members.flatMap((host) => (host === node ? [] : [`${node}/tenant`, `${host}/tenant`]))
    return {
      there: ['h3/tenant', `${node}/tenant`, ...cables, ...members.map((host) => `${host}/web-${host.slice(1)}`)],
      back: ['h4/web-4', 'h4/tenant', 'h3/tenant', 'h3/web-3'],
    }
  }

  it('says of every copy whether it came to its port', async () => {
    const result = await cluster({ world, seen: () => through(first) }).trace(asked)
    expect(result).toMatchObject({ verdict: 'delivered', drop: null })
    expect(result.copies!.map(({ host, port, verdict }) => `${host} ${port} ${verdict}`).sort()).toEqual([
      ...['h1 web-1 delivered', 'h2 web-2 delivered', 'h4 web-4 delivered'],
    ])
    for (const { hops } of result.copies!) for (const { kind, evidence } of hops) if (kind === 'physical') expect(evidence).not.toBe('computed')
  })

  it('names the copy that was lost, and where it was seen last', async () => {
    const other = second
    const result = await cluster({ world, seen: () => through(first, [other]) }).trace(asked)
    expect(result.verdict).toBe('delivered')
    const copies = new Map(result.copies!.map((copy) => [copy.host, copy]))
    expect(copies.get(other)).toMatchObject({ verdict: 'unknown', limit: expect.stringContaining(`tenant of ${first}`) })
    expect(copies.get('h4')!.verdict).toBe('delivered')
  })

  it('goes by what the sender’s switch says of the nodes that it watches', async () => {
    const text = `group:3\n -> bucket 0: not live due to port ${watchPortOf(world.index.nodes, nodes[0]!.host)}\n -> using bucket 1`
    const result = await cluster({ world, seen: () => through(second), explained: () => text }).trace(asked)
    expect(result.hops.find(({ action }) => action === 'replicated')?.host).toBe(second)
    expect(result.verdict).toBe('delivered')
  })

  it('does not announce an address unless that is asked for', async () => {
    const { trace, said } = cluster({ world })
    const announced = { from: 'web-4', to: '10.20.1.100', sourceIp: '10.20.1.100', proto: 'arp' } as const
    await expect(trace(announced)).rejects.toMatchObject({ code: 'not-supported', message: expect.stringContaining('announces') })
    expect(said.injected).toEqual([])
  })
})
