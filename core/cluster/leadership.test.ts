import { describe, expect, test } from 'vitest'
import { ProcessEnv, World } from '../sim/env.ts'
import { Leadership, leaderTimings, type Election, type LeadershipPort, type RenewOutcome, type TakeOutcome } from './leadership.ts'

/** A port whose answers the test gives when it likes. */
function rig(host = 'h1') {
  const world = new World(1)
  const takes: { basis: { keyRevision: number; epoch: number }; done(outcome: TakeOutcome): void }[] = []
  const renewals: ((outcome: RenewOutcome) => void)[] = []
  const seen = { held: 0, dropped: 0, fetched: 0, resigned: [] as (string | null)[], changes: [] as string[] }
  let raftLeader: string | null = host
  let nicThere = true
  const port: LeadershipPort = {
    take: (basis, done) => takes.push({ basis, done }),
    renew: (_, done) => renewals.push(done),
    resign: (_, nominee, done) => {
      seen.resigned.push(nominee)
      world.after(5, () => done('done'))
    },
    raftLeader: (done) => void world.after(1, () => done(raftLeader)),
    fetchRaftLeader: () => seen.fetched++,
    holdAddress: () => {
      if (nicThere) seen.held++
      return nicThere
    },
    dropAddress: () => seen.dropped++,
    changed: ({ leading, reason }) => seen.changes.push(`${leading ? 'leads' : 'led'}: ${reason}`),
  }
  const env = new ProcessEnv(world)
  const leadership = new Leadership({ env, host, port })
  leadership.setVoters(['h1', 'h2', 'h3'])
  leadership.start()
  const wait = (ms: number) => world.runUntil(world.nowMs + ms)
  return {
    ...{ world, env, leadership, takes, renewals, seen, wait },
    raftLeader: (leader: string | null) => (raftLeader = leader),
    removeNic: () => (nicThere = false),
    win(epoch: number) {
      takes.pop()!.done({ type: 'won', term: { epoch, leaseId: 'l' } })
    },
  }
}

const nobody: Election = { key: null, epoch: 0 }
const heldBy = (holder: string | null, revision: number, epoch: number, nominee: string | null = null): Election => ({
  key: { holder, nominee, revision },
  epoch,
})

describe('taking it', () => {
  test('the first leader takes at once, on exactly what it saw', () => {
    const { leadership, takes, seen, wait, win } = rig()
    leadership.see(nobody, false)
    wait(10)
    expect(takes.map(({ basis }) => basis)).toEqual([{ keyRevision: 0, epoch: 0 }])
    win(7)
    expect(leadership.leading).toBe(true)
    expect(seen).toMatchObject({ held: 1, changes: ['leads: it is the first'] })
  })

  test('nobody takes while renewals are seen; from a silent leader only when its address must be gone', () => {
    const { leadership, takes, wait, world } = rig()
    for (let revision = 5; revision < 25; revision++) {
      leadership.see(heldBy('h2', revision, 5), true)
      wait(300)
    }
    const lastSeenMs = world.nowMs - 300
    wait(leaderTimings.addressLifeMs - 301)
    expect(takes).toEqual([])
    wait(5)
    expect(takes).toMatchObject([{ basis: { keyRevision: 24, epoch: 5 } }])
    expect(world.nowMs - lastSeenMs).toBeGreaterThanOrEqual(leaderTimings.addressLifeMs)
  })

  test('a look that may have missed changes counts as a sign of life', () => {
    const { leadership, takes, wait } = rig()
    leadership.see(heldBy('h2', 5, 5), true)
    wait(1500)
    leadership.see(heldBy('h2', 5, 5), false)
    wait(1500)
    expect(takes).toEqual([])
    wait(100)
    expect(takes).toHaveLength(1)
  })

  test('that the key went with its lease shortens nothing', () => {
    const { leadership, takes, wait } = rig()
    leadership.see(heldBy('h2', 5, 5), true)
    wait(1000)
    leadership.see({ key: null, epoch: 5 }, true)
    wait(500)
    expect(takes).toEqual([])
    wait(100)
    expect(takes).toMatchObject([{ basis: { keyRevision: 0, epoch: 5 } }])
  })

  test('a host that is not the raft leader’s waits its turn, and none without a voter’s part campaigns', () => {
    const { leadership, takes, wait, raftLeader } = rig()
    raftLeader('h3')
    leadership.see(heldBy('h2', 5, 5), true)
    wait(leaderTimings.addressLifeMs + leaderTimings.patienceMs - 50)
    expect(takes).toEqual([])
    wait(200)
    expect(takes).toHaveLength(1)

    const client = rig('h9')
    client.leadership.see(heldBy('h2', 5, 5), true)
    client.wait(10_000)
    expect(client.takes).toEqual([])
  })

  test.each([
    ['its own, from before it was started again: at once', heldBy('h1', 5, 5), 10],
    ['given up to anybody: at once', heldBy(null, 5, 5), 10],
    ['given up to this host: at once', heldBy(null, 5, 5, 'h1'), 10],
  ])('%s', (_, election, waitMs) => {
    const { leadership, takes, wait } = rig()
    leadership.see(election, true)
    wait(waitMs)
    expect(takes).toHaveLength(1)
  })

  test('given up to another: only when that one does not come', () => {
    const { leadership, takes, wait } = rig()
    leadership.see(heldBy(null, 5, 5, 'h3'), true)
    wait(leaderTimings.nomineeMs - 50)
    expect(takes).toEqual([])
    wait(100)
    expect(takes).toHaveLength(1)
  })

  test('an answer later than the lease makes no leader', () => {
    const { leadership, seen, wait, win } = rig()
    leadership.see(nobody, false)
    wait(10)
    wait(1100)
    win(7)
    expect(leadership.leading).toBe(false)
    expect(seen.held).toBe(0)
  })
})

describe('leading', () => {
  function leader() {
    const made = rig()
    made.leadership.see(nobody, false)
    made.wait(10)
    made.win(7)
    return made
  }

  test('the address is prolonged by prompt answers only, leadership by late ones too', () => {
    const { leadership, renewals, seen, wait } = leader()
    wait(335)
    renewals.pop()!('done')
    expect(seen.held).toBe(2)
    wait(335)
    const late = renewals.pop()!
    wait(leaderTimings.answerLimitMs + 10)
    late('done')
    expect(seen.held).toBe(2)
    expect(leadership.leading).toBe(true)
  })

  test('without an answer for a second the address is dropped, and leadership with it', () => {
    const { leadership, seen, wait } = leader()
    wait(990)
    expect(seen.dropped).toBe(0)
    wait(20)
    expect(leadership.leading).toBe(false)
    expect(seen).toMatchObject({ dropped: 1, changes: ['leads: it is the first', 'led: it could not be confirmed in time'] })
  })

  test('requests that are never answered do not pile up', () => {
    const { renewals, wait, leadership } = leader()
    // Kept leader by takes that no store would answer so: only the count matters here.
    for (let round = 0; round < 5; round++) wait(150)
    expect(renewals.length).toBeLessThanOrEqual(4)
    expect(leadership.leading).toBe(true)
  })

  test.each<[string, (made: ReturnType<typeof leader>) => void]>([
    ['its key is gone', ({ wait, renewals }) => (wait(335), renewals.pop()!('refused'))],
    ['another host took it', ({ leadership }) => leadership.see(heldBy('h2', 9, 9), true)],
    ['it stood still too long', ({ env, wait }) => (env.freeze(), wait(3000), env.thaw())],
  ])('%s: the address goes at once', (_, happen) => {
    const made = leader()
    happen(made)
    expect(made.seen.dropped).toBe(1)
    expect(made.leadership.leading).toBe(false)
  })

  test('a NIC that is gone makes it give up, and stay out for a while', () => {
    const made = leader()
    made.removeNic()
    made.wait(335)
    made.renewals.pop()!('done')
    expect(made.seen.resigned).toEqual([null])
    made.leadership.see(heldBy(null, 8, 7), true)
    made.wait(leaderTimings.holdOffMs - 100)
    expect(made.takes).toEqual([])
    made.wait(200)
    expect(made.takes).toHaveLength(1)
  })

  test('it fetches raft leadership when that stays elsewhere, not at once', () => {
    const { leadership, seen, wait, renewals } = leader()
    for (let second = 0; second < 4; second++) {
      leadership.seeRaftLeader('h2')
      for (let part = 0; part < 3; part++) {
        wait(333)
        for (const answer of renewals.splice(0)) answer('done')
      }
      if (second === 0) expect(seen.fetched).toBe(0)
    }
    expect(seen.fetched).toBeGreaterThan(0)
  })

  test('what is handed over goes on in the next life; too late, it does not', () => {
    const { leadership, wait } = leader()
    const handover = leadership.release()!
    expect(leadership.leading).toBe(false)
    const next = rig()
    next.wait(15)
    next.leadership.release()
    next.leadership.start(handover)
    expect(next.leadership.leading).toBe(true)
    expect(next.renewals).toHaveLength(1)
    wait(5000)
    leadership.start(handover)
    expect(leadership.leading).toBe(false)
  })
})
