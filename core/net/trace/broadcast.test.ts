import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nodesFor } from '../broadcast/nodes.ts'
import { arbitraryDeclaration } from '../declaration/arbitrary.ts'
import { traceRequestSchema, traceResultSchema, type TraceRequest, type TraceResult } from '../../model/trace.ts'
import { toldWatches } from './replication.ts'
import { traceSimulated } from './simulate.ts'
import { testWorld, type Ailments } from './test-world.ts'

const hall = (mode: string, more = ''): string => `
hosts:
  - {name: h1, roles: [broadcast]}
  - {name: h2, roles: [broadcast]}
  - {name: legacy-1, tunnelEnd: {ip: 10.83.5.77, mac: "02:00:00:00:00:50"}}
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1, broadcast: ${mode}}
vips:
  - {name: web-vip, network: web, ip: 10.20.1.100, ports: [web-1, web-4]}
acls:
  - {name: deaf, port: web-5, direction: in, priority: 1, match: {proto: 112}, action: drop, stateful: false}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, host: h2, attach: {kind: netns}}
  - {name: web-3, network: web, ip: 10.20.1.13, host: h3, attach: {kind: netns}}
  - {name: web-4, network: web, ip: 10.20.1.14, host: h4, attach: {kind: netns}}
  - {name: web-5, network: web, ip: 10.20.1.15, host: h4, attach: {kind: netns}}
  - {name: web-6, network: web, ip: 10.20.1.16, host: h3, attach: {kind: netns}}
${more}`
const legacy = '  - {name: legacy, network: web, ip: 10.20.1.40, host: legacy-1, attach: {kind: remote}}\n'

interface Given extends Ailments {
  mode?: string
  more?: string
}

function given({ mode = 'cluster', more, ...ailments }: Given) {
  const world = testWorld(hall(mode, more), { hosts: 4, ...ailments })
  const [first, second] = nodesFor(world.index.networks.get('web')!.vni, world.index.nodes).map(({ host }) => host)
  const trace = (asked: Partial<TraceRequest>): TraceResult =>
    traceResultSchema.parse(traceSimulated(world, traceRequestSchema.parse({ from: 'web-3', ...asked })))
  return { trace, first: first!, second: second! }
}

const question = { to: 'web-vip', proto: 'arp' } as const
const advert = { to: '224.0.0.18', proto: 112 } as const
/** `h2/web-2 delivered`, by name. */
const fates = ({ copies = [] }: TraceResult): string[] =>
  copies.map(({ host, port, verdict, drop }) => [`${host}/${port ?? ''}`, verdict, drop?.reason ?? ''].join(' ').trim()).sort()
const devices = (hops: TraceResult['hops']): string[] => hops.map(({ host, device }) => `${host} ${device}`)
const nodeOf = ({ hops }: TraceResult) => hops.find(({ device }) => device === 'replicator')

describe('a packet to many, in a network with the broadcast cluster', () => {
  it('goes through a node to every other host of the network', () => {
    const { trace, first } = given({})
    const result = trace(advert)
    expect(result.verdict).toBe('delivered')
    expect(nodeOf(result)).toMatchObject({ host: first, action: 'replicated', objects: ['network/web', `broadcastNode/${first}`] })
    expect(nodeOf(result)?.replication).toMatchObject({ members: ['h1', 'h2', 'h4'], copies: 3 })
    expect(fates(result)).toEqual(['h1/web-1 delivered', 'h2/web-2 delivered', 'h3/web-6 delivered', 'h4/web-4 delivered', 'h4/web-5 dropped acl'])
  })

  it('shows every hop of every copy, and where it parts from the one that is followed', () => {
    const { trace, first } = given({})
    const { hops, copies } = trace(advert)
    for (const copy of copies!) {
      const whole = [...hops.slice(0, copy.after), ...copy.hops]
      expect(whole.map(({ n }) => n)).toEqual(whole.map((_, index) => index + 1))
      const entry = copy.host === 'h3' ? [] : [`${first} replicator`, ...(copy.host === first ? [] : [`${first} tenant`, `${copy.host} tenant`])]
      for (const place of [...entry, `${copy.host} br-int`]) expect(devices(whole)).toContain(place)
    }
    const other = copies!.find(({ port }) => port === 'web-4')!
    expect(other.hops.at(-1)).toMatchObject({ action: 'received', device: 'web-4', host: 'h4' })
  })

  it('is not sent back to the host of its sender', () => {
    const { trace } = given({})
    expect(fates(trace(advert)).filter((fate) => fate.startsWith('h3'))).toEqual(['h3/web-6 delivered'])
  })

  it('ends at the node where no other host has a port', () => {
    const alone =
      'networks: [{name: web, vpc: shop, subnet: 10.20.1.0/24}]\nports: [{name: web-3, network: web, ip: 10.20.1.13, attach: {kind: netns}, host: h3}]'
    const { hops, drop } = traceSimulated(testWorld(alone), traceRequestSchema.parse({ from: 'web-3', ...advert }))
    expect(hops.at(-1)).toMatchObject({ action: 'replicated', replication: { members: [], copies: 0 } })
    expect(drop).toMatchObject({ reason: 'unknown-destination', object: 'network/web' })
  })

  it('has a copy for a host without an agent, of which nothing more is known', () => {
    const { trace } = given({ more: legacy })
    expect(trace(advert).copies!.find(({ host }) => host === 'legacy-1')).toMatchObject({
      verdict: 'unknown',
      limit: expect.stringContaining('no agent'),
    })
  })

  it('goes through the next node where the first does not answer, and says so', () => {
    const { first, second } = given({})
    for (const ailment of [{ states: { [first]: 'down' } }, { nics: { [first]: 'down' } }, { notReplicating: [first] }] as Given[]) {
      const result = given(ailment).trace(advert)
      expect(nodeOf(result)).toMatchObject({ host: second })
      expect(result.hops.find(({ action }) => action === 'encapsulated')?.detail).toContain(`since ${first} does not answer`)
    }
  })

  it('does not get past its host where no node replicates; they are named', () => {
    const { trace } = given({ notReplicating: ['h1', 'h2'] })
    const result = trace({ ...question, from: 'web-4' })
    expect(result.copies!.find(({ verdict }) => verdict === 'dropped')!.drop).toMatchObject({
      reason: 'host-down',
      hint: expect.stringContaining('h1, h2'),
    })
    expect(given({ states: { h1: 'down', h2: 'down' } }).trace({ ...advert, from: 'web-4' }).copies).toContainEqual(
      expect.objectContaining({ drop: expect.objectContaining({ hint: expect.stringContaining('h1, h2') }) }),
    )
  })

  it('blames the sender’s own cable where that is cut, not the nodes', () => {
    const lost = given({ nics: { h3: 'down' } })
      .trace(advert)
      .copies!.find(({ verdict }) => verdict === 'dropped')!
    expect(lost.drop).toMatchObject({ reason: 'link-down', object: 'link/h3/tenant--tor1/swp10' })
  })

  it('loses only the copy of a member that is down', () => {
    expect(fates(given({ states: { h4: 'down' } }).trace(advert))).toEqual([
      ...['h1/web-1 delivered', 'h2/web-2 delivered', 'h3/web-6 delivered', 'h4/ dropped host-down'],
    ])
  })

  it('from a node’s own host enters its replicator without a cable', () => {
    const { trace, first } = given({})
    const { hops } = trace({ ...advert, from: first === 'h1' ? 'web-1' : 'web-2' })
    const at = hops.findIndex(({ device }) => device === 'replicator')
    expect(hops[at - 1]).toMatchObject({ host: first, action: 'encapsulated' })
  })
})

describe('a packet to many, copied by its sender’s host', () => {
  it('has every copy, too', () => {
    const { trace } = given({ mode: 'source' })
    const result = trace(advert)
    expect(nodeOf(result)).toBeUndefined()
    expect(fates(result)).toEqual(['h1/web-1 delivered', 'h2/web-2 delivered', 'h3/web-6 delivered', 'h4/web-4 delivered', 'h4/web-5 dropped acl'])
  })

  it('needs no node', () => {
    expect(fates(given({ mode: 'source', notReplicating: ['h1', 'h2'] }).trace(advert))).toHaveLength(5)
  })
})

describe('a question for a VIP', () => {
  const mac = '00:00:5e:00:01:33'

  it('is answered by the port that has it, under the MAC that it announced', () => {
    const result = given({ owners: { 'web-vip': { port: 'web-4', mac } } }).trace(question)
    expect(result.verdict).toBe('delivered')
    expect(nodeOf(result)).toBeDefined()
    expect(result.hops.find(({ leg }) => leg === 'return')).toMatchObject({ device: 'web-4', detail: `arp 10.20.1.100 is at ${mac}` })
    expect(result.hops.at(-1)).toMatchObject({ device: 'web-3', action: 'received' })
    expect(fates(result)).toHaveLength(5)
  })

  it('is answered by flow where the network learns of announcements: then nothing is copied', () => {
    const result = given({ mode: 'cluster+garp', owners: { 'web-vip': { port: 'web-4', mac } } }).trace(question)
    expect(result.verdict).toBe('delivered')
    expect(nodeOf(result)).toBeUndefined()
    expect(result.copies).toBeUndefined()
  })

  it('comes to all and is answered by nobody while nobody has it', () => {
    const result = given({}).trace(question)
    expect(result).toMatchObject({ verdict: 'dropped', drop: { reason: 'arp-unanswered', object: 'vip/web-vip' } })
    expect(fates(result).filter((fate) => fate.endsWith('delivered'))).toHaveLength(5)
  })

  it('is no packet to many where it is asked on the way back, by a guest that has no route to the sender', () => {
    const more = '  - {name: nomad, network: web, ip: 10.20.1.17, host: h3, attach: {kind: netns}, allow: ["172.16.9.9/32"]}\n'
    const result = given({ more }).trace({ from: 'nomad', to: 'web-1', sourceIp: '172.16.9.9' })
    expect(result).toMatchObject({ verdict: 'dropped', drop: { reason: 'no-route', object: 'network/web' } })
    expect(result.copies).toBeUndefined()
  })

  it('goes before a ping of it; where nobody answers, it is what the trace shows', () => {
    const { trace } = given({})
    const result = trace({ to: 'web-vip' })
    expect(result).toMatchObject({ verdict: 'dropped', drop: { reason: 'arp-unanswered', object: 'vip/web-vip' } })
    const [copy] = result.copies!
    expect(result.hops[copy!.after - 1]).toMatchObject({ device: 'br-int', host: copy!.host })
    expect(given({ owners: { 'web-vip': { port: 'web-4', mac } } }).trace({ to: 'web-vip' })).toMatchObject({ verdict: 'delivered' })
  })
})

describe('an announcement', () => {
  const announced = { to: '10.20.1.100', sourceIp: '10.20.1.100', proto: 'arp' } as const

  it('of a port that may have the VIP comes to all, and asks for no answer', () => {
    const result = given({}).trace({ ...announced, from: 'web-4' })
    expect(result.verdict).toBe('delivered')
    expect(fates(result).filter((fate) => fate.endsWith('delivered'))).toHaveLength(5)
  })

  it('of any other is dropped at its port', () => {
    expect(given({}).trace({ ...announced, from: 'web-2' }).drop).toMatchObject({ reason: 'vip-claim', object: 'port/web-2', host: 'h2' })
  })
})

it('a port behind a tunnel to a host without an agent is followed as far as that', () => {
  const { trace } = given({ more: legacy })
  expect(trace({ to: 'legacy' })).toMatchObject({ verdict: 'unknown', limit: expect.stringContaining('legacy-1, which has no agent') })
  expect(trace({ from: 'legacy', to: 'web-1' })).toMatchObject({ verdict: 'unknown', limit: expect.stringContaining('legacy-1, which has no agent') })
})

it.each([
  [[], '    group:5\n     -> using bucket 0\n    bucket 0\n            output:7\n'],
  [[16], '    group:5\n     -> bucket 0: not live due to port 16\n     -> using bucket 1\n'],
  [[16, 17], '    group:5\n     -> bucket 0: not live due to port 16\n     -> bucket 1: not live due to port 17\n     -> no live bucket\n'],
])('a switch says of ports %j that the nodes that they watch do not answer', (ports, text) => expect(toldWatches(text)).toEqual(new Set(ports)))

it('a switch whose flows name no group says nothing of nodes', () => expect(toldWatches(' 0. priority 32768\n    output:2\n')).toBeNull())

it('every port of a network but the sender’s gets one copy, whatever the network is like', () => {
  let copied = 0
  fc.assert(
    fc.property(arbitraryDeclaration({ hosts: ['h1', 'h2', 'h3'] }), fc.nat(), (declared, pick) => {
      const world = testWorld({ ...declared, acls: [] })
      const { ports } = world.index.input.network
      const from = ports[pick % ports.length]
      if (!from || from.attach.kind === 'remote') return
      const { copies, drop } = traceSimulated(world, traceRequestSchema.parse({ from: from.name, to: '224.0.0.18', proto: 112 }))
      const vlan = world.index.vlans.find((one) => one.ports.includes(from))
      const others = ports.filter(({ network, attach }) => network === from.network && attach.kind !== 'remote')
      const wanted = others.filter((port) => port !== from && !vlan?.ports.includes(port)).map(({ name }) => name)
      const got = (copies ?? []).flatMap(({ port, verdict }) => (port !== null && verdict === 'delivered' ? [port] : []))
      if (got.length > 1) copied++
      expect(got.sort(), JSON.stringify({ drop, from })).toEqual(wanted.sort())
    }),
    { numRuns: 150 },
  )
  expect(copied).toBeGreaterThan(10)
})
