import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TraceCopy } from '../../../core/model/trace.ts'
import { countCopies, faultRef, worstFirst } from './copies.ts'

const copy = (host: string, port: string | null, verdict: TraceCopy['verdict']): TraceCopy => ({
  ...{ host, port, after: 7, hops: [], verdict, limit: null },
  drop: verdict === 'dropped' ? { host, device: 'br-int', reason: 'acl', object: 'acl/no-vrrp', hint: '' } : null,
})

describe('copies of a packet to many', () => {
  test('those that were lost come first, then the unknown ones, each in natural order', () => {
    const copies = [
      ...[copy('h10', 'web-1', 'delivered'), copy('h2', 'web-12', 'delivered'), copy('h2', 'web-3', 'delivered')],
      ...[copy('legacy-1', null, 'unknown'), copy('h3', 'web-9', 'dropped'), copy('h3', null, 'dropped')],
    ]
    expect(worstFirst(copies).map(({ host, port }) => `${host}/${port ?? ''}`)).toEqual([
      ...['h3/', 'h3/web-9', 'legacy-1/'],
      ...['h2/web-3', 'h2/web-12', 'h10/web-1'],
    ])
  })

  test('each is counted once, and none is lost by sorting', () => {
    const any = fc.constantFrom('delivered' as const, 'dropped' as const, 'unknown' as const)
    fc.assert(
      fc.property(fc.array(any), (verdicts) => {
        const copies = verdicts.map((verdict, i) => copy(`h${i}`, null, verdict))
        const { delivered, dropped, unknown } = countCopies(copies)
        expect(delivered + dropped + unknown).toBe(copies.length)
        expect(dropped).toBe(verdicts.filter((verdict) => verdict === 'dropped').length)
        expect(new Set(worstFirst(copies))).toEqual(new Set(copies))
      }),
    )
  })
})

test('a broadcast node at fault is shown as its host', () => {
  expect(faultRef('broadcastNode/h2')).toEqual({ kind: 'host', id: 'h2' })
  expect(faultRef('acl/no-vrrp')).toEqual({ kind: 'acl', id: 'no-vrrp' })
  expect(faultRef(null)).toBeNull()
})
