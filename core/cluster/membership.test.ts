import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planMembership, votersWanted, type MembershipHost, type MembershipMember, type MembershipView } from './membership.ts'

const host = (name: string, more: Partial<MembershipHost> = {}): MembershipHost => ({
  name,
  joinedAtMs: Number(name.slice(1)),
  alive: true,
  leaving: false,
  ...more,
})
const voter = (name: string, more: Partial<MembershipMember> = {}): MembershipMember => ({
  id: `m-${name}`,
  host: name,
  learner: false,
  well: true,
  sinceMs: 1000,
  ...more,
})
const long = 10 ** 9

describe('the next step', () => {
  test.each<[string, Partial<MembershipView>, object | null]>([
    ['one host needs nothing', { hosts: [host('h1')], members: [voter('h1')] }, null],
    ['two hosts keep one voter', { hosts: [host('h1'), host('h2')], members: [voter('h1')] }, null],
    ['the third makes a second voter', { hosts: [host('h1'), host('h2'), host('h3')], members: [voter('h1')] }, { do: 'add-learner', host: 'h2' }],
    [
      'a host that is not heard is no candidate',
      { hosts: [host('h1'), host('h2', { alive: false }), host('h3')], members: [voter('h1')] },
      { do: 'add-learner', host: 'h3' },
    ],
    [
      'a learner that answers is promoted',
      { hosts: [host('h1'), host('h2'), host('h3')], members: [voter('h1'), voter('h2', { learner: true })] },
      { do: 'promote', id: 'm-h2', host: 'h2' },
    ],
    [
      'a learner that does not is waited for',
      { hosts: [host('h1'), host('h2'), host('h3')], members: [voter('h1'), voter('h2', { learner: true, well: false })] },
      null,
    ],
    [
      'but not for ever',
      { hosts: [host('h1'), host('h2'), host('h3')], members: [voter('h1'), voter('h2', { learner: true, well: false, sinceMs: long })] },
      { do: 'remove', host: 'h2' },
    ],
    [
      'a voter that just died is waited for',
      { hosts: [1, 2, 3, 4].map((n) => host(`h${n}`)), members: [voter('h1'), voter('h2', { well: false }), voter('h3')] },
      null,
    ],
    [
      'one that is dead for long is replaced',
      { hosts: [1, 2, 3, 4].map((n) => host(`h${n}`)), members: [voter('h1'), voter('h2', { well: false, sinceMs: long }), voter('h3')] },
      { do: 'remove', host: 'h2' },
    ],
    [
      'unless nobody could take its place',
      {
        hosts: [host('h1'), host('h2', { alive: false }), host('h3')],
        members: [voter('h1'), voter('h2', { well: false, sinceMs: long }), voter('h3')],
      },
      null,
    ],
    [
      'a host that lost its store but lives is its own replacement',
      { hosts: [host('h1'), host('h2'), host('h3')], members: [voter('h1'), voter('h2', { well: false, sinceMs: long }), voter('h3')] },
      { do: 'remove', host: 'h2' },
    ],
    [
      'without a majority nothing is tried',
      {
        hosts: [1, 2, 3, 4].map((n) => host(`h${n}`)),
        members: [voter('h1'), voter('h2', { well: false, sinceMs: long }), voter('h3', { well: false, sinceMs: long })],
      },
      null,
    ],
    [
      'a replacement comes before a well voter leaves',
      { hosts: [host('h1'), host('h2', { leaving: true }), host('h3'), host('h4')], members: [voter('h1'), voter('h2'), voter('h3')] },
      { do: 'add-learner', host: 'h4' },
    ],
    [
      'a dead voter that leaves goes first',
      {
        hosts: [host('h1'), host('h2', { leaving: true, alive: false }), host('h3'), host('h4')],
        members: [voter('h1'), voter('h2', { well: false }), voter('h3')],
      },
      { do: 'remove', host: 'h2' },
    ],
    [
      'the raft leader hands its part on before it leaves',
      { hosts: [host('h1', { leaving: true }), host('h2'), host('h3')], members: [voter('h1'), voter('h2'), voter('h3')], raftLeader: 'h1' },
      { do: 'move-raft-leader' },
    ],
    [
      'a host without a member just goes',
      { hosts: [host('h1'), host('h2', { leaving: true })], members: [voter('h1')] },
      { do: 'forget-host', host: 'h2' },
    ],
    [
      'the last voter of two hosts leaves: the other is made one first',
      { hosts: [host('h1', { leaving: true }), host('h2')], members: [voter('h1')] },
      { do: 'add-learner', host: 'h2' },
    ],
    [
      'from three hosts to two, one voter too many goes, not the leader',
      { hosts: [host('h1'), host('h2')], members: [voter('h1'), voter('h2')], raftLeader: 'h2' },
      { do: 'remove', host: 'h1' },
    ],
    [
      'a member of nobody goes',
      { hosts: [host('h1'), host('h2'), host('h3')], members: [voter('h1'), voter('h2'), voter('h3'), voter('h9')] },
      { do: 'remove', host: 'h9' },
    ],
  ])('%s', (_, view, expected) => {
    const step = planMembership({ hosts: [], members: [], raftLeader: 'h1', ...view })
    if (expected === null) expect(step).toBeNull()
    else expect(step).toMatchObject(expected)
  })
})

interface Cluster {
  hosts: MembershipHost[]
  members: MembershipMember[]
  raftLeader: string | null
}

/** Does a step as etcd would, and says what was broken by it. */
function carryOut(cluster: Cluster, step: NonNullable<ReturnType<typeof planMembership>>): void {
  const alive = (name: string) => cluster.hosts.some((each) => each.name === name && each.alive)
  if (step.do === 'add-learner') cluster.members.push(voter(step.host, { learner: true, well: alive(step.host) }))
  if (step.do === 'promote') cluster.members = cluster.members.map((each) => (each.id === step.id ? { ...each, learner: false } : each))
  if (step.do === 'remove') {
    expect(step.host).not.toBe(cluster.raftLeader)
    cluster.members = cluster.members.filter((each) => each.id !== step.id)
  }
  if (step.do === 'move-raft-leader') cluster.raftLeader = step.to
  if (step.do === 'forget-host') cluster.hosts = cluster.hosts.filter((each) => each.name !== step.host)
  const voters = cluster.members.filter((each) => !each.learner)
  expect(voters.filter((each) => each.well).length * 2).toBeGreaterThan(voters.length)
}

test('from any state with a majority, steps keep the majority, come to an end, and end with as many voters as there can be', () => {
  const hosts = fc.array(fc.record({ alive: fc.boolean(), leaving: fc.boolean(), member: fc.constantFrom('none', 'voter', 'learner') }), {
    minLength: 1,
    maxLength: 9,
  })
  fc.assert(
    fc.property(hosts, (made) => {
      const cluster: Cluster = { hosts: [], members: [], raftLeader: null }
      for (const [index, { alive, leaving, member }] of made.entries()) {
        const name = `h${index + 1}`
        cluster.hosts.push(host(name, { alive, leaving }))
        const learner = member === 'learner' && !cluster.members.some((each) => each.learner)
        if (member === 'voter' || learner) cluster.members.push(voter(name, { learner, well: alive, sinceMs: long }))
      }
      const voters = cluster.members.filter((each) => !each.learner)
      fc.pre(voters.filter((each) => each.well).length * 2 > voters.length && cluster.hosts.some((each) => !each.leaving && each.alive))
      cluster.raftLeader = voters.find((each) => each.well)!.host
      let steps = 0
      for (let step = planMembership(cluster); step; step = planMembership(cluster)) {
        carryOut(cluster, step)
        expect(++steps).toBeLessThan(60)
      }
      const staying = cluster.hosts.filter((each) => !each.leaving)
      const end = cluster.members.filter((each) => !each.learner)
      const wanted = votersWanted(staying.length)
      expect(end.length).toBeLessThanOrEqual(wanted)
      // Too few only where there is no live host left to add, or a dead voter keeps the place of one.
      const idle = staying.filter((each) => each.alive && !cluster.members.some((member) => member.host === each.name))
      if (end.length < wanted) expect(idle.length === 0 || end.some((each) => !each.well)).toBe(true)
      expect(cluster.hosts.filter((each) => each.leaving && !cluster.members.some((member) => member.host === each.name))).toEqual([])
    }),
    { numRuns: 2000 },
  )
})
