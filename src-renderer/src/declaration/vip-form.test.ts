import { describe, expect, test } from 'vitest'
import { emptyVirtualNetwork } from '../../../core/model/network.ts'
import { parseDeclaration } from '../../../core/net/declaration/parse.ts'
import { planNetwork } from '../../../core/net/declaration/plan.ts'
import { exampleDeclaration } from './example.ts'
import { hostFormOf, hostItem, hostProblems } from './host-form.ts'
import { blankVip, vipFormOf, vipItem, vipProblems, type VipForm } from './vip-form.ts'
import { flowText, withItem } from './yaml-edit.ts'

const form: VipForm = { ...blankVip('web'), name: ' web-vip ', ip: '10.20.1.100', ports: ['web-1', 'web-2'] }

describe('a VIP', () => {
  test('moved by its guests', () => {
    const item = vipItem({ ...form, priorities: { 'web-1': '9' } })
    expect(flowText(item)).toBe('{name: web-vip, network: web, ip: 10.20.1.100, ports: [web-1, web-2]}')
    expect(vipFormOf(item)).toEqual({ ...form, name: 'web-vip' })
  })

  test.each([
    [{ check: 'tcp', tcp: '3306' }, { tcp: 3306 }],
    [{ check: 'http', http: '/health' }, { http: '/health' }],
    [
      { check: 'http', http: '/', httpPort: '8080' },
      { http: '/', port: 8080 },
    ],
    [{ check: 'command', command: ' pg_isready  -q ' }, { command: ['pg_isready', '-q'] }],
  ] as const)('moved by the platform: %j, and back', (typed, healthCheck) => {
    const item = vipItem({ ...form, ...typed, priorities: { 'web-1': '100', 'web-2': '', 'gone-1': '5' } })
    expect(item).toMatchObject({ healthCheck, priorities: { 'web-1': 100 } })
    expect(vipItem(vipFormOf(item))).toEqual(item)
  })

  test('what is missing is named', () => {
    expect(vipProblems(form)).toEqual([])
    expect(vipProblems({ ...blankVip(''), check: 'tcp' })).toEqual(['name', 'network', 'ip', 'ports', 'tcp'])
  })
})

describe('a host', () => {
  test('with roles, and back', () => {
    const item = hostItem({ name: 'h1', kind: 'agent', roles: ['broadcast'], ip: '', mac: '' })
    expect(item).toEqual({ name: 'h1', roles: ['broadcast'] })
    expect(hostItem(hostFormOf(item))).toEqual(item)
  })

  test('without an agent, and back', () => {
    const item = hostItem({ name: 'legacy-1', kind: 'remote', roles: ['gateway'], ip: ' 10.7.2.50', mac: '02:00:00:00:00:5A ' })
    expect(item).toEqual({ name: 'legacy-1', tunnelEnd: { ip: '10.7.2.50', mac: '02:00:00:00:00:5a' } })
    expect(hostItem(hostFormOf(item))).toEqual(item)
  })

  test('what is missing is named', () => {
    expect(hostProblems({ name: 'legacy-1', kind: 'remote', roles: [], ip: '', mac: '02:00' })).toEqual(['ip', 'mac'])
    expect(hostProblems({ name: 'H1', kind: 'agent', roles: [], ip: '', mac: '' })).toEqual(['name'])
  })
})

test('what the forms write, the planner takes', () => {
  const hosts = ['h1', 'h2']
  const items = [
    ['vip', vipItem({ ...form, ports: ['web-1'], check: 'http', http: '/health', httpPort: '8080' })],
    ['host', hostItem({ name: 'h2', kind: 'agent', roles: ['broadcast', 'gateway'], ip: '', mac: '' })],
    ['host', hostItem({ name: 'legacy-1', kind: 'remote', roles: [], ip: '10.7.2.50', mac: '02:00:00:00:00:50' })],
  ] as const
  const text = items.reduce((written, [kind, item]) => withItem(written, kind, item)!, exampleDeclaration(hosts))
  const { next } = planNetwork(emptyVirtualNetwork, parseDeclaration(text), { hosts, prune: false })
  expect(next.vips).toMatchObject([{ name: 'web-vip', healthCheck: { http: '/health', port: 8080 } }])
  expect(next.hosts.map(({ name }) => name)).toEqual(['h2', 'legacy-1'])
})
