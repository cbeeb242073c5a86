import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planes } from '../model/common.ts'
import { fullMeshHosts, watchersOf, watchersPerHost, watchPlan, type PlanHost } from './watch-plan.ts'

const cluster = fc
  .uniqueArray(fc.tuple(fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/), fc.subarray([...planes], { minLength: 1 })), {
    selector: ([name]) => name,
    minLength: 1,
    maxLength: 40,
  })
  .map((hosts): PlanHost[] => hosts.map(([name, on]) => ({ name, planes: on })))

describe('watchPlan', () => {
  test('what one sends another watches, nobody watches itself, and everybody is watched by as many as there should be', () => {
    fc.assert(
      fc.property(cluster, (hosts) => {
        const plans = new Map(hosts.map((host) => [host.name, watchPlan(host.name, hosts)]))
        const sent = [...plans].flatMap(([from, { send }]) => send.map(({ peer, plane }) => `${from}>${peer}/${plane}`))
        const watched = [...plans].flatMap(([by, { watch }]) => watch.map(({ peer, plane }) => `${peer}>${by}/${plane}`))
        expect(sent.sort()).toEqual(watched.sort())
        for (const host of hosts)
          for (const plane of host.planes) {
            const others = hosts.filter((other) => other !== host && other.planes.includes(plane)).length
            expect(watchersOf(host.name, plane, hosts)).toHaveLength(hosts.length <= fullMeshHosts ? others : Math.min(watchersPerHost, others))
            expect(watchersOf(host.name, plane, hosts)).not.toContain(host.name)
          }
      }),
      { numRuns: 60 },
    )
  })

  test('a host that goes changes only whom it watched', () => {
    const hosts = Array.from({ length: 50 }, (_, index): PlanHost => ({ name: `h${index}`, planes: ['mgmt'] }))
    const rest = hosts.slice(1)
    for (const { name } of rest) {
      const before = watchersOf(name, 'mgmt', hosts)
      const after = watchersOf(name, 'mgmt', rest)
      expect(after.filter((watcher) => !before.includes(watcher)).length).toBe(before.includes('h0') ? 1 : 0)
    }
  })

  test('the load is spread: nobody of fifty watches more than fifteen others', () => {
    const hosts = Array.from({ length: 50 }, (_, index): PlanHost => ({ name: `h${index}`, planes: ['mgmt'] }))
    expect(Math.max(...hosts.map(({ name }) => watchPlan(name, hosts).watch.length))).toBeLessThanOrEqual(15)
  })
})
