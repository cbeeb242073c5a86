import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { ensureBaseLayer } from '../../../lab/base.ts'
import { buildBroadcastObject } from '../../../scripts/broadcast-object.ts'

/** Each fixture is a process in network and mount namespaces of its own, which says as JSON what it found. */
let objectPath: string

beforeAll(() => {
  objectPath = buildBroadcastObject(console.log)
})

function run(fixture: string, ...args: string[]): Record<string, unknown> {
  const argv = ['--net', '--mount', process.execPath, join(import.meta.dirname, 'fixtures', `${fixture}.ts`), objectPath, ...args]
  return JSON.parse(execFileSync('unshare', argv, { encoding: 'utf8', timeout: 110_000, stdio: ['ignore', 'pipe', 'inherit'] })) as Record<
    string,
    unknown
  >
}

/** Where Open vSwitch lies that is not installed: the lab's. */
async function ovsPrograms(): Promise<string> {
  return join(await ensureBaseLayer(() => undefined), 'usr')
}

const nothingDropped = { unknownVni: 0, truncated: 0, oversize: 0, badHeader: 0, loop: 0, storm: 0 }

describe('the replicator', () => {
  test('every member host but the source gets each frame once, bit for bit, in the tunnel that it takes', () => {
    const { found, most, counters, totals } = run('copies') as Record<'found' | 'counters' | 'totals', object> & {
      most: Record<'got' | 'copies' | 'failed', number>
    }
    const right = (copies: number) => ({ wrong: [], copies })
    expect(found).toEqual({
      vxlan: right(5),
      large: right(5),
      smallest: right(5),
      fromSelf: right(5),
      fromNoMember: right(6),
      withChecksum: right(7),
      vxlanToBoth: right(7),
      greToBoth: right(7),
    })
    expect(counters).toEqual({
      100: { frames: 5, copies: 26, bytes: 4 * 5 * 50 + 6 * 50 + 5 * (64 + 1514 + 14 + 64) + 6 * 64, failed: 0, dropped: nothingDropped },
      200: expect.objectContaining({ frames: 3, copies: 21, failed: 0, dropped: nothingDropped }) as unknown,
    })
    expect(totals).toMatchObject({ replicated: 9, dropped: nothingDropped })
    expect(most).toEqual({ got: most.copies, copies: 4096 - most.failed, failed: expect.any(Number) as unknown })
    expect(most.copies).toBeGreaterThan(900)
  })

  test('it answers ARP and BFD by itself, others on the wire and its own host without it', () => {
    expect(run('answers')).toMatchObject({
      arp: { broadcast: true, unicast: true, probe: true, unanswered: [] },
      bfd: { down: true, init: true, up: true, adminDown: true, poll: true, gre: true, withoutDiscriminator: [], cut: [] },
      own: { arp: true, bfd: true, onTheWire: 0 },
      totals: { arpAnswers: 4, bfdAnswers: 7, hairpinned: 2 },
    })
  })

  test('what cannot be replicated is counted by its reason, what is not for it is passed on, and announcements are sighted', () => {
    const sighting = { vni: 100, ip: '10.20.1.100', mac: '00:00:5e:00:01:33', host: '10.9.1.1' }
    const first = { ...sighting, sequence: 1 }
    const moved = { ...sighting, host: '10.9.1.2', sequence: 2 }
    const otherVni = { ...sighting, vni: 101, sequence: 3 }
    const six = { ...sighting, ip: 'fd00::100', mac: '02:aa:00:00:00:06', sequence: 4 }
    expect(run('refusals')).toEqual({
      wrong: [],
      cases: 22,
      escaped: 0,
      storm: { copies: 50, limited: 15, other: 0 },
      heard: [first, moved, otherVni, six],
      last: [moved, otherVni, six],
      timely: true,
    })
  })

  test('it sees announcements in copies of other replicators and signs of life of virtual routers, and yields what floats', () => {
    expect(run('watch')).toEqual({
      inCopies: ['10.20.1.100 from null', '10.20.1.100 from null'],
      adverts: [
        { vni: 100, router: 51, family: 4, mac: '00:00:5e:00:01:33', host: '10.9.1.1', recent: true },
        { vni: 100, router: 51, family: 6, mac: '00:00:5e:00:02:33', host: '10.9.1.1', recent: true },
      ],
      sightings: ['10.20.1.100'],
      held: { answers: true, copies: 1 },
      asked: true,
      yielded: { answers: false, copies: 0, own: true },
      kept: true,
      again: { answers: true, copies: 1 },
    })
  })

  test('it lives on without its agent; versions and members change under load, and no copy is lost or doubled', () => {
    const found = run('life') as { swaps: { sent: number }; changes: { ofEither: [number, number, number] } }
    const [one, other] = found.changes.ofEither
    expect(found).toMatchObject({
      copiesWithoutAgent: 6,
      adopted: { members: 4, copies: 6, seen: ['10.20.1.100'] },
      swaps: { lost: 0, doubled: 0 },
      changes: { lost: 0, ofEither: [one, other, 0], doubled: 0 },
      attached: [true, false, false, true, true],
      afterEnd: 0,
    })
    expect(found.swaps.sent).toBeGreaterThan(50)
    expect(Math.min(one, other)).toBeGreaterThan(0)
  })

  test('a real Open vSwitch at the same NIC gets its copy, and what it sends to the replicator on its own host is replicated', async () => {
    expect(run('ovs-node', await ovsPrograms())).toEqual({
      fromOther: ['10.9.0.100 to 10.9.1.2'],
      copyToOwn: 1,
      fromOwn: ['10.9.0.100 to 10.9.1.1', '10.9.0.100 to 10.9.1.2'],
      again: 0,
    })
  })

  test('BFD of a real Open vSwitch is up while the program lives, with or without its agent', async () => {
    const found = run('ovs-bfd', await ovsPrograms())
    const inTime = expect.any(Number) as unknown
    expect(found).toMatchObject({ up: inTime, stays: ['up 1', 'up 1'], down: inTime, again: inTime })
    expect(found['arpAnswers']).toBeGreaterThan(0)
  })

  test('what stands against it is said', () => {
    const notSupported = (reason: string) => expect.objectContaining({ code: 'not-supported', reason }) as unknown
    const unusable = expect.objectContaining({ code: 'bad-input', reason: 'object-unusable' }) as unknown
    const withLog = (reason: string, code: string) => expect.objectContaining({ code, reason, log: expect.stringMatching(/./) as unknown }) as unknown
    expect(run('refused')).toEqual({
      noNic: expect.objectContaining({ code: 'not-found' }) as unknown,
      noObject: notSupported('no-object'),
      noElf: unusable,
      cut: unusable,
      verifier: withLog('verifier-refused', 'internal'),
      types: withLog('no-btf', 'not-supported'),
      members: expect.objectContaining({ code: 'bad-input', message: expect.stringContaining('4096 at most') as unknown }) as unknown,
      otherVersion: notSupported('object-mismatch'),
      noMount: notSupported('no-rights'),
      noRights: notSupported('no-rights'),
      slower: expect.objectContaining({ code: 'packet', reason: 'no-rights' }) as unknown,
    })
  })

  test('every random frame is accounted for, as the same judgement in TypeScript has it', () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const found = run('fuzz', 'tc', String(seed)) as { sent: number; expectedOnTheWire: number; totals: { replicated: number } }
    expect(found, `seed ${seed}`).toMatchObject({ differing: [], sum: found.sent, onTheWire: found.expectedOnTheWire })
    expect(found.totals.replicated).toBeGreaterThan(100)
  })
})

describe('the fast path at XDP', () => {
  test('a NIC that takes no copies or loses some is not used for it; one that takes all loses and doubles none, of whatever is copied at once', () => {
    const found = run('fast') as { handed: number[]; sent: number }
    expect(found).toMatchObject({
      refused: {
        alone: 'there is no other node to test the NIC with',
        silent: ['tc', 'no other node answered the test of the NIC'],
        losing: ['tc', 'the NIC lost or doubled copies in its test'],
        stays: 'tc',
      },
      ...{ way: 'xdp', lost: 0, doubled: 0, faults: [], uncounted: 0 },
      // What the NIC did not take is counted as such; and with its pins the program goes.
      ...{ overrun: { counted: true }, attached: [true, false] },
    })
    expect(found.handed.reduce((sum, frames) => sum + frames, 0)).toBeGreaterThan(found.sent / 2)
  })

  test('what it does not do itself TC does as ever', () => {
    const { found } = run('copies', 'xdp') as { found: Record<string, { wrong: string[] }> }
    expect(Object.values(found).flatMap(({ wrong }) => wrong)).toEqual([])
    expect(run('refusals', 'xdp')).toMatchObject({ wrong: [], cases: 22, escaped: 0, storm: { copies: 50, limited: 15, other: 0 } })
  })

  test('it lives on without its agent; versions and members change under load, and no copy is lost or doubled', () => {
    expect(run('life', 'xdp')).toMatchObject({
      copiesWithoutAgent: 6,
      swaps: { lost: 0, doubled: 0 },
      changes: { lost: 0, doubled: 0 },
      attached: [true, false, false, true, true],
      afterEnd: 0,
      ways: ['xdp', 'tc'],
    })
  })

  test('it accounts for every random frame as TC does', () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const found = run('fuzz', 'xdp', String(seed)) as { sent: number; expectedOnTheWire: number }
    expect(found, `seed ${seed}`).toMatchObject({ differing: [], sum: found.sent, onTheWire: found.expectedOnTheWire })
  })
})

describe('where the kernel grants no eBPF', () => {
  test('a process replicates, to all but members on its own host', () => {
    const { found, counters } = run('copies', 'packet')
    const right = (copies: number) => ({ wrong: [], copies })
    expect(found).toEqual({
      vxlan: right(4),
      large: right(4),
      smallest: right(4),
      fromSelf: right(5),
      fromNoMember: right(5),
      withChecksum: right(6),
      vxlanToBoth: right(6),
      greToBoth: right(6),
    })
    expect(counters).toMatchObject({ 100: { frames: 5, copies: 22, failed: 4 }, 200: { frames: 3, copies: 18, failed: 3 } })
  })

  test('it answers others, and refuses and sights as the program does', () => {
    expect(run('answers', 'packet')).toMatchObject({
      arp: { broadcast: true, unicast: true, probe: true, unanswered: [] },
      bfd: { down: true, init: true, up: true, adminDown: true, poll: true, gre: true, withoutDiscriminator: [], cut: [] },
    })
    const found = run('refusals', 'packet')
    // Its filter keeps from it what is no tunnel, so that it does not count it.
    expect(found).toMatchObject({ wrong: ['otherPort: ', 'otherProtocol: '], escaped: 0, storm: { copies: 50, limited: 15, other: 0 } })
    expect(found['heard']).toHaveLength(4)
    expect(found['last']).toHaveLength(3)
  })
})
