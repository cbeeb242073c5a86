import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LiveState } from '../../model/common.ts'
import { traceRequestSchema, type TraceRequest, type TraceResult } from '../../model/trace.ts'
import { prepareTrace } from './simulate.ts'
import { lackOf, switchPassages, withSwitchEvidence, type SwitchReadings } from './switch-evidence.ts'
import { shop, testWorld, type Ailments } from './test-world.ts'

const macs = { h1: '0a:58:0a:53:05:01', h2: '0a:58:0a:53:05:02', h3: '0a:58:0a:53:05:03' }

/** A path from web-1 on h1, tor1 port swp8, to db-1 on h2, tor2 port swp9, and its ways through switches. */
function pathOf(asked: Partial<TraceRequest> = {}, ailments: Ailments = {}) {
  const world = testWorld(shop, ailments)
  const request = traceRequestSchema.parse({ from: 'web-1', to: 'db-1', ...asked })
  const { path, frame } = prepareTrace(world, request, { id: 1, seq: 1 }, new Uint8Array(16))
  return { path, passages: switchPassages(world, path, frame!) }
}

/** The same as a live trace judges it where taps saw it up to a hop and at no switch. */
function judged(path: TraceResult, lastSeen: number, rest: Partial<TraceResult> = {}): TraceResult {
  const hops = path.hops.map((hop) => ({ ...hop, evidence: hop.n <= lastSeen && hop.action !== 'switched' ? ('seen' as const) : hop.evidence }))
  return { ...path, mode: 'live', hops, ...rest }
}

interface Said {
  /** Where h1's and h2's MACs are learned. */
  learned: [string | null, string | null]
  /** What two ports counted meanwhile: in and out. */
  counted: Record<string, [number, number]>
  down?: string
}

function readingsOf({ learned, counted, down }: Said): SwitchReadings {
  const read = (times: number) => ({
    ports: Object.entries(counted).map(([port, [into, out]]) => ({
      ...{ port, state: (port === down ? 'down' : 'up') as LiveState },
      ...{ inPackets: 100 + into * times, outPackets: 200 + out * times },
    })),
    learned: [
      { mac: macs.h1, port: learned[0] },
      { mac: macs.h2, port: learned[1] },
    ],
  })
  return { before: read(0), after: read(1) }
}

/** What both switches say where all is well. */
const well = {
  tor1: { learned: ['swp8', 'swp17'], counted: { swp8: [3, 2], swp17: [2, 3] } } as Said,
  tor2: { learned: ['swp17', 'swp9'], counted: { swp17: [3, 1], swp9: [1, 3] } } as Said,
}
const saying = (said: Partial<Record<'tor1' | 'tor2', Said>>) => new Map(Object.entries(said).map(([name, words]) => [name, readingsOf(words)]))
const ofSwitches = ({ hops }: TraceResult) => hops.filter(({ action }) => action === 'switched')

describe('the ways of a packet through switches', () => {
  it('know the ports at hosts, both hosts, and the MACs of the tunnel, there and back', () => {
    const near = { port: 'swp8', link: 'link/h1/tenant--tor1/swp8' }
    const far = { port: 'swp9', link: 'link/h2/tenant--tor2/swp9' }
    const there = { hosts: ['h1', 'h2'], src: macs.h1, dst: macs.h2 }
    const back = { hosts: ['h2', 'h1'], src: macs.h2, dst: macs.h1 }
    expect(pathOf().passages.map(({ n: _, ...passage }) => passage)).toEqual([
      { switch: 'tor1', in: near, out: null, ...there },
      { switch: 'tor2', in: null, out: far, ...there },
      { switch: 'tor2', in: far, out: null, ...back },
      { switch: 'tor1', in: null, out: near, ...back },
    ])
  })

  it('know the far port where both hosts are on one switch, and where it is the far cable that stops it', () => {
    expect(pathOf({ from: 'crm-1', to: 'db-2' }).passages[0]).toMatchObject({ switch: 'tor1', in: { port: 'swp10' }, out: { port: 'swp8' } })
    expect(pathOf({}, { nics: { h2: 'down' } }).passages.map((one) => [one.switch, one.hosts[1], one.out?.port ?? null])).toEqual([
      ['tor1', 'h2', null],
      ['tor2', 'h2', 'swp9'],
    ])
  })

  it('have the MACs of the very frame where a host itself sends', () => {
    const [there, , back] = pathOf({ from: 'host:h1', to: 'host:h2', sourceMac: '02:00:00:00:00:07' }).passages
    expect(there).toMatchObject({ src: '02:00:00:00:00:07', dst: '02:83:00:00:00:02' })
    expect(back).toMatchObject({ src: '02:83:00:00:00:02', dst: '02:00:00:00:00:07' })
  })

  it('are none where no switch is passed', () => {
    expect(pathOf({ to: 'web-3' }).passages).toEqual([])
  })
})

describe('what switches say', () => {
  it('makes their hops seen between taps that saw it, with the ports that LLDP does not tell', () => {
    const { path, passages } = pathOf()
    const hops = ofSwitches(withSwitchEvidence(judged(path, path.hops.length), passages, saying(well)))
    expect(hops.map((hop) => [hop.evidence, hop.host, hop.in, hop.out])).toEqual([
      ['seen', 'tor1', 'swp8', 'swp17'],
      ['seen', 'tor2', 'swp17', 'swp9'],
      ['seen', 'tor2', 'swp9', 'swp17'],
      ['seen', 'tor1', 'swp17', 'swp8'],
    ])
    expect(hops.map(({ detail }) => detail)[0]).toBe('in at swp8, out at swp17, counted 3 packets in and 3 out (SNMP)')
  })

  it.each<[string, Said, 'address' | null, string]>([
    ['the sender’s MAC at another port', { ...well.tor1, learned: ['swp3', 'swp17'] }, null, `tor1 learned ${macs.h1} at swp3 instead of swp8`],
    ['the sender’s MAC at no port', { ...well.tor1, learned: [null, 'swp17'] }, 'address', `tor1 learned ${macs.h1} at no port`],
    ['the receiver’s MAC where it comes from', { ...well.tor1, learned: ['swp8', 'swp8'] }, null, `${macs.h2} at swp8`],
    ['a port without a carrier', { ...well.tor1, down: 'swp8' }, null, 'port swp8 of tor1 is down'],
  ])('leaves the hop inferred, and says so: %s', (_, tor1, lack, words) => {
    const { path, passages } = pathOf()
    const [hop] = ofSwitches(withSwitchEvidence(judged(path, path.hops.length), passages, saying({ tor1 })))
    expect(hop).toMatchObject({ evidence: 'inferred', detail: expect.stringContaining(words) as string })
    expect(lackOf(passages[0]!, readingsOf(tor1), { verdict: 'delivered' })).toBe(lack)
  })

  it('has seen it also where it has not learned where the receiver is, and so sends to all', () => {
    const { path, passages } = pathOf()
    const tor1: Said = { learned: ['swp8', null], counted: { swp8: [3, 0] } }
    const [hop] = ofSwitches(withSwitchEvidence(judged(path, path.hops.length), passages, saying({ tor1 })))
    expect(hop).toMatchObject({ evidence: 'seen', in: 'swp8', out: null, detail: 'in at swp8 (SNMP)' })
    expect(lackOf(passages[0]!, readingsOf(tor1), { verdict: 'delivered' })).toBeNull()
  })

  it('waits for counters only where a packet is lost, and then tells of those that stand still', () => {
    const { path, passages } = pathOf()
    const still = readingsOf({ ...well.tor1, counted: { swp8: [1, 0], swp17: [0, 0] } })
    expect(lackOf(passages[0]!, still, { verdict: 'delivered' })).toBeNull()
    expect(lackOf(passages[0]!, still, { verdict: 'unknown' })).toBe('count')
    const told = (rest: Partial<TraceResult>) =>
      ofSwitches(withSwitchEvidence(judged(path, path.hops.length, rest), passages, new Map([['tor1', still]])))[0]
    expect(told({})).toMatchObject({ evidence: 'seen', detail: expect.not.stringContaining('counted') as string })
    expect(told({ verdict: 'unknown' })).toMatchObject({ detail: expect.stringContaining('counted 1 packet in and 0 out') as string })
  })

  it('leaves the hop inferred where it would send to another port than the receiver’s', () => {
    const { path, passages } = pathOf()
    const tor2: Said = { learned: ['swp17', 'swp4'], counted: { swp17: [3, 1], swp9: [1, 3], swp4: [1, 3] } }
    const [, hop] = ofSwitches(withSwitchEvidence(judged(path, path.hops.length), passages, saying({ tor2 })))
    expect(hop).toMatchObject({ evidence: 'inferred', detail: expect.stringContaining(`${macs.h2} at swp4 instead of swp9`) as string })
  })

  it('says nothing against a counter that began anew or that there is not', () => {
    const { path, passages } = pathOf()
    const { before, after } = readingsOf(well.tor1)
    const [port, ...rest] = after.ports
    for (const inPackets of [5, null]) {
      const readings = { before, after: { ...after, ports: [{ ...port!, inPackets }, ...rest] } }
      const [hop] = ofSwitches(withSwitchEvidence(judged(path, path.hops.length, { verdict: 'unknown' }), passages, new Map([['tor1', readings]])))
      expect(hop).toMatchObject({ detail: expect.stringContaining('counted 0 packets in and 3 out') as string })
    }
  })

  describe('of a packet that was last seen at the sender’s NIC', () => {
    const { path, passages } = pathOf()
    const lost = judged(path, 4, { verdict: 'unknown', limit: 'It was lost in between.' })

    it('is part of the limit, and no switch has seen it: its counters may be of other packets', () => {
      const tor2 = { ...well.tor2, learned: ['swp17', null] as [string, null], counted: { swp17: [3, 1], swp9: [1, 0] } as Said['counted'] }
      const result = withSwitchEvidence(lost, passages, saying({ ...well, tor2 }))
      expect(result).toMatchObject({ verdict: 'unknown', drop: null })
      expect(result.limit).toBe(
        `It was lost in between. By SNMP, tor1 learned ${macs.h1} at swp8, ${macs.h2} at swp17, counted 3 packets in and 3 out.` +
          ` By SNMP, tor2 learned ${macs.h1} at swp17, ${macs.h2} at no port, counted 3 packets in and 0 out.`,
      )
      expect(ofSwitches(result).map(({ evidence }) => evidence)).toEqual(['inferred', 'inferred', 'inferred', 'inferred'])
    })

    it('is a verdict where a port is down: the link, by both its ends', () => {
      const result = withSwitchEvidence(lost, passages, saying({ ...well, tor2: { ...well.tor2, down: 'swp9' } }))
      expect(result).toMatchObject({ verdict: 'dropped', limit: null })
      expect(result.hops.at(-1)).toMatchObject({ host: 'tor2', leg: 'forward', evidence: 'inferred' })
      expect(result.drop).toEqual({
        ...{ host: 'tor2', device: 'tor2', reason: 'link-down', object: 'link/h2/tenant--tor2/swp9' },
        hint: 'The link h2/tenant--tor2/swp9 has no carrier. Check the cable and both its ends. By SNMP, port swp9 of tor2 is down.',
      })
    })
  })

  it('confirms a cable that a host says is cut', () => {
    const { path, passages } = pathOf({}, { nics: { h2: 'down' } })
    const result = withSwitchEvidence(judged(path, 4), passages, saying({ ...well, tor2: { ...well.tor2, down: 'swp9' } }))
    expect(result.drop).toMatchObject({ host: 'h2', device: 'tenant', reason: 'link-down' })
    expect(result.drop!.hint).toMatch(/ By SNMP, port swp9 of tor2 is down\.$/)
  })

  it('never makes a verdict of silence, nor evidence beyond the last place seen, whatever is said', () => {
    const port = fc.constantFrom(null, 'swp8', 'swp9', 'swp17')
    const counts = fc.tuple(fc.nat(3), fc.nat(3))
    const words = fc.record({
      learned: fc.tuple(port, port),
      counted: fc.record({ swp8: counts, swp9: counts, swp17: counts }, { requiredKeys: [] }) as fc.Arbitrary<Said['counted']>,
      down: fc.constantFrom('none', 'swp8', 'swp9', 'swp17'),
    })
    const { path, passages } = pathOf()
    const verdict = fc.constantFrom('delivered' as const, 'unknown' as const)
    fc.assert(
      fc.property(fc.option(words), fc.option(words), fc.nat(path.hops.length), verdict, (tor1, tor2, lastSeen, given) => {
        const before = judged(path, lastSeen, { verdict: given, limit: given === 'unknown' ? 'It is lost.' : null })
        const readings = saying({ ...(tor1 && { tor1 }), ...(tor2 && { tor2 }) })
        const after = withSwitchEvidence(before, passages, readings)
        if (after.verdict !== given) {
          expect(after.drop).toMatchObject({ reason: 'link-down' })
          expect([tor1?.down, tor2?.down].some((down) => down === 'swp8' || down === 'swp9')).toBe(true)
        }
        for (const hop of after.hops) {
          if (hop.n > lastSeen) expect(hop.evidence).not.toBe('seen')
          if (!readings.has(hop.host)) expect(hop).toEqual(before.hops[hop.n - 1])
        }
      }),
    )
  })
})

it('a switch between a host and a broadcast node learns the replicator’s MAC, on both its ways', () => {
  const hall = [
    'networks: [{name: web, vpc: shop, subnet: 10.20.1.0/24, broadcast: cluster}]',
    'ports:',
    ...[1, 2, 3, 4].map((n) => `  - {name: web-${n}, network: web, ip: 10.20.1.1${n}, host: h${n}, attach: {kind: netns}}`),
  ].join('\n')
  const world = testWorld(hall, { hosts: 4 })
  const { path } = prepareTrace(
    world,
    traceRequestSchema.parse({ from: 'web-3', to: '224.0.0.18', proto: 112 }),
    { id: 1, seq: 1 },
    new Uint8Array(16),
  )
  const node = world.index.nodes.find(({ host }) => path.hops.some((hop) => hop.action === 'replicated' && hop.host === host))!
  const learned = switchPassages(world, path, new Uint8Array(64)).map(({ hosts, src, dst }) => ({ hosts, src, dst }))
  const endOf = (host: string) => world.index.ends.get(host)!.mac
  const receiver = path.hops.at(-1)!.host
  expect(learned).toContainEqual({ hosts: ['h3', node.host], src: endOf('h3'), dst: node.replicator.mac })
  expect(learned).toContainEqual({ hosts: [node.host, receiver], src: node.replicator.mac, dst: endOf(receiver) })
})
