import { describe, expect, test } from 'vitest'
import { emptyVirtualNetwork } from '../../../core/model/network.ts'
import { parseDeclaration } from '../../../core/net/declaration/parse.ts'
import { planNetwork } from '../../../core/net/declaration/plan.ts'
import { exampleDeclaration } from './example.ts'
import { aclFormOf, aclItem, blankAcl, firstAddress, isName, networkItem, nextAddress, nextName, portItem } from './forms.ts'
import { flowText, withItem } from './yaml-edit.ts'

describe('forms become objects', () => {
  test('of a network, without what is blank', () => {
    expect(
      networkItem({
        name: ' web ',
        vpc: 'shop',
        subnet: '10.20.1.0/24',
        gateway: '10.20.1.1',
        subnet6: '',
        gateway6: '',
        router: 'shop',
        broadcast: 'cluster',
      }),
    ).toEqual({
      ...{ name: 'web', vpc: 'shop', subnet: '10.20.1.0/24', gateway: '10.20.1.1', broadcast: 'cluster' },
    })
  })

  test('of a port with each kind of guest', () => {
    const form = { name: 'web-1', network: 'web', ip: '10.20.1.11', ip6: '', host: 'h1', vm: 'shop', nic: 'tenant', vlan: '300' }
    expect(portItem({ ...form, attach: 'netns' }).attach).toEqual({ kind: 'netns' })
    expect(portItem({ ...form, attach: 'vm' }).attach).toEqual({ kind: 'vm', vm: 'shop' })
    expect(portItem({ ...form, attach: 'vlan' }).attach).toEqual({ kind: 'vlan', nic: 'tenant', vlan: 300 })
    expect(portItem({ ...form, attach: 'vlan', host: '' })).not.toHaveProperty('host')
    expect(portItem({ ...form, attach: 'remote' }).attach).toEqual({ kind: 'remote' })
  })

  test('of an ACL, and back', () => {
    const form = { ...blankAcl('network', 'db'), name: 'no-ssh', dport: '8000-8099', src: '10.20.1.0/24', log: true, stateful: false }
    const item = aclItem(form)
    expect(flowText(item)).toBe(
      '{name: no-ssh, network: db, direction: in, priority: 100, match: {proto: tcp, src: 10.20.1.0/24, dport: [8000, 8099]}, action: drop, stateful: false, log: true}',
    )
    expect(aclFormOf(item)).toEqual(form)
    expect(aclItem({ ...form, proto: '132' }).match).toMatchObject({ proto: 132 })
  })

  test('what a form makes is accepted by the planner', () => {
    const text = withItem(
      exampleDeclaration(['h1', 'h2']),
      'acl',
      aclItem({ ...blankAcl('port', 'web-1'), name: 'no-dns', proto: 'udp', dport: '53' }),
    )!
    const { changes } = planNetwork(emptyVirtualNetwork, parseDeclaration(text), { hosts: ['h1', 'h2'], prune: false })
    expect(changes.filter(({ kind }) => kind === 'acl').map(({ name }) => name)).toEqual(['no-dns', 'no-ssh'])
  })
})

test('the next address is one that nobody has', () => {
  const network = { subnet: '10.20.1.0/24', gateway: '10.20.1.1' }
  expect(nextAddress(network, [])).toBe('10.20.1.11')
  expect(nextAddress(network, ['10.20.1.11', '10.20.1.12'])).toBe('10.20.1.13')
  expect(nextAddress({ subnet: '10.0.0.0/30', gateway: '10.0.0.1' }, [])).toBe('10.0.0.2')
  expect(nextAddress({ subnet: '10.0.0.0/30', gateway: '10.0.0.1' }, ['10.0.0.2'])).toBe('')
})

test('names and gateways are proposed', () => {
  expect(nextName('web', new Set(['web-1', 'web-2']))).toBe('web-3')
  expect(firstAddress('10.20.1.0/24')).toBe('10.20.1.1')
  expect(firstAddress('fd00:20:1::/64')).toBe('fd00:20:1::1')
  expect(firstAddress('10.20.1')).toBe('')
})

test.each([
  ['web-1', true],
  ['1', true],
  ['Web', false],
  ['-web', false],
  ['web-', false],
  ['', false],
  ['a'.repeat(64), false],
])('name %j: %s', (name, right) => expect(isName(name)).toBe(right))
