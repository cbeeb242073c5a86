import { expect, it } from 'vitest'
import { traceRequestSchema, type TraceHop, type TraceResult } from '../../model/trace.ts'
import { traceSimulated } from './simulate.ts'
import { lostForSize } from './size.ts'
import { shop, testWorld } from './test-world.ts'

const world = testWorld(shop)
const { hops } = traceSimulated(world, traceRequestSchema.parse({ from: 'web-1', to: 'db-1' }))
/** A live trace that was seen up to a place on its way there. */
const seenUpTo = (place: string, verdict: TraceResult['verdict']): TraceResult => {
  const at = hops.findIndex((hop) => `${hop.host}/${hop.device}` === place)
  const seen = (hop: TraceHop, index: number): TraceHop => ({ ...hop, evidence: index <= at && hop.kind === 'physical' ? 'seen' : 'computed' })
  return { verdict, mode: 'live', hops: hops.map(seen), drop: null, limit: null, rttMs: null }
}

it('a packet that is lost between two NICs is too large where a small one passes', () => {
  const large = seenUpTo('h1/tenant', 'unknown')
  const drop = lostForSize(world, large, seenUpTo('h2/tenant', 'delivered'), 1450)
  expect(drop).toMatchObject({ host: 'tor1', reason: 'mtu', object: 'link/tor1--tor2' })
  expect(drop?.hint).toContain('1450 bytes')
})

it('and not where the small one is lost as well, or the large one was lost elsewhere', () => {
  expect(lostForSize(world, seenUpTo('h1/tenant', 'unknown'), seenUpTo('h1/tenant', 'unknown'), 1450)).toBeNull()
  expect(lostForSize(world, seenUpTo('h2/tenant', 'unknown'), seenUpTo('h2/tenant', 'delivered'), 1450)).toBeNull()
  expect(lostForSize(world, seenUpTo('h1/tenant', 'delivered'), seenUpTo('h2/tenant', 'delivered'), 1450)).toBeNull()
})
