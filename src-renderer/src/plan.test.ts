import { describe, expect, test } from 'vitest'
import type { Host, LiveState, Task } from '../../core/model/index.ts'
import { en } from './i18n/en.ts'
import { failoverPlan, measuredMs, removalPlan, upgradePlan, type PlanInput } from './plan.ts'

const host = (name: string, role: Host['role'] = 'voter'): Host => ({ name, addresses: { mgmt: '10.0.0.1' }, role, joinedAtMs: 0 })
function input(hosts: Host[], states: Record<string, LiveState>, leader = 'h1', tasks: Task[] = []): Omit<PlanInput, 'host'> {
  return {
    hosts,
    tasks,
    status: {
      cluster: { name: 'lab', clusterIp: null, leader, quorum: true },
      asOf: '',
      hosts: hosts.map(({ name }) => ({ name, state: states[name] ?? 'up', planes: {}, agent: { version: null, modules: {} } })),
    },
  }
}
const three = [host('h1'), host('h2'), host('h3')]

describe('removing a host', () => {
  test('says what the store loses: two of three voters survive no loss', () => {
    expect(removalPlan({ host: 'h2', ...input(three, {}) }, en).changes[0]).toBe(
      'Its member leaves the store: 3 voters become 2; after that the cluster survives the loss of none of them.',
    )
    const five = [...three, host('h4'), host('h5')]
    expect(removalPlan({ host: 'h2', ...input(five, {}) }, en).changes[0]).toMatch(/5 voters become 4; .* loss of 1\./)
  })

  test('a host that does not vote takes no member with it', () => {
    expect(removalPlan({ host: 'h4', ...input([...three, host('h4', 'client')], {}) }, en).changes[0]).toMatch(/^The agent on h4/)
  })

  test('says that leadership moves, when it does', () => {
    expect(removalPlan({ host: 'h1', ...input(three, {}) }, en).interrupted[0]).toBe(en.plan.remove.leader)
    expect(removalPlan({ host: 'h2', ...input(three, {}) }, en).interrupted).not.toContain(en.plan.remove.leader)
  })

  test('is refused when the rest would be no majority, and for the last host', () => {
    expect(removalPlan({ host: 'h2', ...input(three, { h1: 'down' }) }, en).refused).toBe(en.plan.remove.quorum('h2'))
    expect(removalPlan({ host: 'h1', ...input(three, { h1: 'down' }) }, en).refused).toBeUndefined()
    expect(removalPlan({ host: 'h1', ...input([host('h1')], {}) }, en).refused).toBe(en.plan.remove.last)
  })

  test('the button says verb and object', () => {
    expect(removalPlan({ host: 'h2', ...input(three, {}) }, en).confirm).toBe('Remove h2')
  })
})

test('an upgrade of a host that is not up is refused', () => {
  expect(upgradePlan({ host: 'h2', ...input(three, { h2: 'down' }) }, en).refused).toBe(en.plan.upgrade.notUp('h2'))
  expect(upgradePlan({ host: 'h2', ...input(three, {}) }, en).refused).toBeUndefined()
})

test('a fail-over says for how many ports, and is refused for a host that is not up', () => {
  expect(failoverPlan({ host: 'h2', ports: 3, lastOutageMs: 40, ...input(three, {}) }, en).interrupted).toEqual([
    expect.stringMatching(/^Packets of its 3 ports/),
    en.plan.failover.last(40),
  ])
  expect(failoverPlan({ host: 'h2', ports: 3, lastOutageMs: null, ...input(three, {}) }, en).interrupted[1]).toBe(en.plan.notMeasured)
  expect(failoverPlan({ host: 'h2', ports: 0, lastOutageMs: null, ...input(three, {}) }, en).interrupted).toEqual([expect.stringMatching(/^Nothing/)])
  expect(failoverPlan({ host: 'h2', ports: 3, lastOutageMs: null, ...input(three, { h2: 'down' }) }, en).refused).toBe(en.plan.failover.notUp('h2'))
})

test('how long it takes is what was measured last, not a guess', () => {
  const task = (startedAtMs: number, endedAtMs: number, state: Task['state'] = 'done'): Task => ({
    id: `${startedAtMs}`,
    type: 'host-upgrade',
    title: '',
    about: [],
    state,
    steps: [],
    startedAtMs,
    endedAtMs,
  })
  expect(measuredMs([], 'host-upgrade')).toBeNull()
  expect(measuredMs([task(0, 5000), task(10_000, 52_000), task(60_000, 61_000, 'failed')], 'host-upgrade')).toBe(42_000)
})
