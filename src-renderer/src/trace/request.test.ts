import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { en } from '../i18n/en.ts'
import { blankForm, formOf, inputOf, problemsOf, queryOf, sameQuery } from './request.ts'

const ports = new Map([['web-1', { name: 'web-1' }]])
const vips = new Map([['web-vip', { name: 'web-vip' }]])
const form = (fields: Partial<ReturnType<typeof blankForm>> = {}) => ({ ...blankForm(), from: 'web-1', to: '10.20.2.11', ...fields })

describe('the form of a trace', () => {
  test('comes back from its address', () => {
    fc.assert(
      fc.property(
        fc.record({
          proto: fc.constantFrom('tcp', 'udp'),
          dport: fc.constantFrom('', '22'),
          ttl: fc.constantFrom('', '3'),
          mode: fc.constantFrom('both' as const, 'live' as const, 'simulated' as const),
        }),
        (fields) => {
          expect(formOf(queryOf(form(fields)))).toEqual(form(fields))
        },
      ),
    )
  })

  test('says in its address only what does not go without saying', () => {
    expect(queryOf(form({ dport: '22' }))).toEqual({ from: 'web-1', to: '10.20.2.11', proto: 'icmp' })
    expect(sameQuery({ from: 'a', to: 'b' }, { to: 'b', from: 'a', mode: 'both' })).toBe(true)
    expect(sameQuery({ from: 'a', to: 'b' }, { from: 'a', to: 'b', proto: 'tcp' })).toBe(false)
  })

  test('becomes a request with numbers, without what is blank', () => {
    expect(inputOf(form({ proto: 'tcp', dport: ' 22 ', ttl: '', sourceMac: 'AA:00:00:00:00:01', mode: 'live' }))).toEqual({
      ...{ from: 'web-1', to: '10.20.2.11', proto: 'tcp', dport: 22, sourceMac: 'aa:00:00:00:00:01', mode: 'live' },
    })
    expect(inputOf(form({ proto: '132' })).proto).toBe(132)
    expect(inputOf(form({ deliver: 'yes' }))).toMatchObject({ deliver: true })
    expect(inputOf(form())).not.toHaveProperty('deliver')
  })

  test('a VIP may be the target, but nobody sends from it', () => {
    expect(problemsOf(form({ to: 'web-vip', proto: 'arp' }), ports, en, vips)).toEqual({})
    expect(problemsOf(form({ from: 'web-vip' }), ports, en, vips)).toEqual({ from: en.trace.noPort('web-vip') })
    expect(inputOf(form({ to: 'web-vip', proto: 'arp', dport: '22' }))).toEqual({ from: 'web-1', to: 'web-vip', proto: 'arp', mode: 'both' })
  })

  test('what cannot be asked is said at its field', () => {
    expect(problemsOf(form(), ports, en, vips)).toEqual({})
    expect(problemsOf(form({ from: 'web-9', to: 'nowhere', proto: 'tcp', dport: '99999', ttl: '256', sizeBytes: '3' }), ports, en, vips)).toEqual({
      from: en.trace.noPort('web-9'),
      to: en.trace.noTarget('nowhere'),
      dport: en.trace.between(0, 65_535),
      ttl: en.trace.between(0, 255),
      sizeBytes: en.trace.between(20, 9000),
    })
    expect(Object.keys(problemsOf(form({ from: '', proto: '300', sourceMac: 'zz', sourceIp: '1.2.3' }), ports, en, vips))).toEqual([
      'from',
      'proto',
      'sourceMac',
      'sourceIp',
    ])
  })
})
