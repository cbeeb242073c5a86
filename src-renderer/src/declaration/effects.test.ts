import { describe, expect, test } from 'vitest'
import { en } from '../i18n/en.ts'
import { applyText, effectsOf, valueText, type Change } from './effects.ts'

const change = (action: Change['change'], kind: string, name: string, ...fields: string[]): Change => ({
  ...{ change: action, kind, name },
  fields: fields.map((field) => ({ field, before: 1, after: 2 })),
})

describe('what a plan interrupts', () => {
  test('nothing, where it only adds networks and ports', () => {
    expect(effectsOf([change('add', 'network', 'web'), change('add', 'port', 'web-1')], en)).toEqual([en.declaration.effect.none])
    expect(effectsOf([change('change', 'acl', 'no-ssh', 'log')], en)).toEqual([en.declaration.effect.none])
  })

  test('of broadcast nothing, whatever its way; of VIPs, claims that are refused from then on', () => {
    const { effect } = en.declaration
    expect(effectsOf([change('change', 'network', 'web', 'broadcast')], en)).toEqual([effect.broadcast('web')])
    expect(effectsOf([change('change', 'network', 'web', 'broadcast', 'mtu')], en)).toEqual([effect.routing('web'), effect.broadcast('web')])
    expect(effectsOf([change('add', 'host', 'h1')], en)).toEqual([effect.nodes('h1')])
    expect(effectsOf([change('change', 'vip', 'a', 'ports'), change('change', 'vip', 'b', 'priorities'), change('delete', 'vip', 'c')], en)).toEqual([
      effect.vips('a, c'),
    ])
  })

  test('each port is named once, by the worst that happens to it', () => {
    expect(
      effectsOf([change('delete', 'port', 'web-1'), change('change', 'port', 'web-2', 'host', 'mac'), change('change', 'port', 'web-3', 'ip')], en),
    ).toEqual([en.declaration.effect.portsDeleted('web-1'), en.declaration.effect.portsMoved('web-2'), en.declaration.effect.portsChanged('web-3')])
  })

  test('rules and routers are named, of many the first few', () => {
    const rules = Array.from({ length: 9 }, (_, i) => change('add', 'acl', `r${i}`))
    expect(effectsOf([...rules, change('change', 'router', 'shop', 'networks')], en)).toEqual([
      en.declaration.effect.rules('r0, r1, r2, r3, and 5 more'),
      en.declaration.effect.routing('shop'),
    ])
  })
})

describe('the button says what it does', () => {
  test.each([
    [[], 'Nothing to apply'],
    [[change('add', 'network', 'web')], 'Add network web'],
    [[change('change', 'acl', 'no-ssh')], 'Change ACL no-ssh'],
    [[change('delete', 'port', 'db-1')], 'Delete port db-1'],
    [[change('add', 'port', 'a'), change('change', 'port', 'b'), change('add', 'port', 'c')], 'Apply 3 changes'],
    [[change('add', 'port', 'a'), change('delete', 'port', 'b'), change('delete', 'port', 'c')], 'Apply 1 change, delete 2'],
    [[change('delete', 'port', 'b'), change('delete', 'port', 'c')], 'Delete 2 objects'],
  ])('%#: %s', (changes, text) => expect(applyText(changes, en)).toBe(text))
})

test('values are shown as they are written', () => {
  expect(valueText({ proto: 'tcp', dport: [80, 443] }, en)).toBe('{proto: tcp, dport: [80, 443]}')
  expect(valueText(null, en)).toBe('not set')
  expect(valueText(['web', 'db'], en)).toBe('web, db')
})
