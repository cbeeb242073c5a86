import { expect, it } from 'vitest'
import { traceRequestSchema } from '../../model/trace.ts'
import { reachabilityChanges, reachabilityOf, type Probe, type Reachability } from './reachability.ts'
import { traceSimulated } from './simulate.ts'
import { shop, testWorld } from './test-world.ts'

const ssh: Probe = { proto: 'tcp', dport: 22 }

function reach({ ports, cells, reaches }: Reachability, from: string, to: string) {
  const classOf = (name: string): number => ports.find((port) => port.name === name)!.classNumber
  return reaches[cells[classOf(from)]![classOf(to)]!]!
}

it.each<[string, Probe]>([
  ['ssh', ssh],
  ['ping', { proto: 'icmp', dport: undefined }],
])('says of every pair what a trace of it says: %s', (_, probe) => {
  const world = testWorld(shop, { nics: { h2: 'down' } })
  for (const vpc of ['shop', 'other', 'crm']) {
    const answer = reachabilityOf(world, vpc, probe)
    for (const { name: from } of answer.ports) {
      for (const { name: to } of answer.ports) {
        if (from === to) continue
        const { drop } = traceSimulated(world, traceRequestSchema.parse({ ...probe, from, to }))
        expect(reach(answer, from, to), `${from} to ${to}`).toEqual({ reason: drop?.reason ?? null, object: drop?.object ?? null })
      }
    }
  }
})

it('counts and names the pairs that a change makes and breaks', () => {
  const before = reachabilityOf(testWorld(shop), 'shop', ssh)
  const after = reachabilityOf(testWorld(shop.replace('dport: 22', 'dport: 23')), 'shop', ssh)
  const { lost, gained, pairs } = reachabilityChanges(before, after, 2)
  // Three web ports and one other db port to each of two db ports.
  expect({ lost, gained }).toEqual({ lost: 0, gained: 8 })
  expect(pairs).toHaveLength(2)
  expect(reachabilityChanges(after, before, 100)).toMatchObject({ lost: 8, gained: 0 })
})

it('names the ACL of the very port, also where others have the same under other names', () => {
  const own = `
acls:
  - {name: own-a, port: web-1, direction: in, priority: 7, match: {proto: tcp, dport: 443}, action: drop}
  - {name: own-z, port: web-1, direction: out, priority: 7, match: {proto: tcp, dport: 25}, action: drop}
  - {name: own-b, port: web-2, direction: in, priority: 7, match: {proto: tcp, dport: 443}, action: drop}
  - {name: own-c, port: db-1, direction: out, priority: 7, match: {proto: tcp, dport: 443}, action: drop}
`
  const world = testWorld(shop.replace('\nacls:', own))
  const answer = reachabilityOf(world, 'shop', { proto: 'tcp', dport: 443 })
  for (const [from, to, acl] of [
    ['db-2', 'web-1', 'own-a'],
    ['db-2', 'web-2', 'own-b'],
    ['web-1', 'web-2', 'own-b'],
    ['db-1', 'web-1', 'own-c'],
  ] as const) {
    expect(reach(answer, from, to), `${from} to ${to}`).toEqual({ reason: 'acl', object: `acl/${acl}` })
  }
  expect(reach(answer, 'web-1', 'db-2')).toEqual({ reason: null, object: null })
})
