import { describe, expect, test } from 'vitest'
import { en } from '../i18n/en.ts'
import { addressesOf, newClusterOf, noAnswers, problemsOf, targetOf, type Answers } from './wizard.ts'

const answers = (some: Partial<Answers>): Answers => ({ ...noAnswers(), ...some })

describe('the wizard', () => {
  test.each(['10.0.0.11', 'host-1.example.org', 'fe80::1', 'h1'])('takes %s as an address', (address) => {
    expect(problemsOf('address', answers({ address }), [], en)).toEqual({})
  })
  test.each(['', ' ', '-oProxyCommand=x', 'a b', 'root@h1'])('refuses %j as an address', (address) => {
    expect(problemsOf('address', answers({ address }), [], en)).toHaveProperty('address')
  })
  test.each(['0', '65536', 'ssh', '22.5', ''])('refuses port %j', (port) => {
    expect(problemsOf('address', answers({ address: 'h1', port }), [], en)).toHaveProperty('port')
  })

  test('asks for the secret that the chosen way needs', () => {
    expect(problemsOf('login', answers({ method: 'password' }), [], en)).toEqual({ password: en.add.required })
    expect(problemsOf('login', answers({ method: 'key' }), [], en)).toEqual({ keyPath: en.add.required })
    expect(problemsOf('login', answers({ method: 'agent' }), [], en)).toEqual({})
  })

  test('a name is free and of the right shape; only management needs an address', () => {
    const addresses = { mgmt: '10.0.0.14', storage: '', tenant: '' }
    expect(problemsOf('planes', answers({ name: 'h4', addresses }), ['h1'], en)).toEqual({})
    expect(problemsOf('planes', answers({ name: 'h1', addresses }), ['h1'], en)).toEqual({ name: en.add.taken('h1') })
    expect(problemsOf('planes', answers({ name: 'H 4', addresses: { mgmt: '10.0.0.256', storage: 'x', tenant: '' } }), ['h1'], en)).toEqual({
      name: en.add.badName,
      mgmt: en.add.badIpv4,
      storage: en.add.badIpv4,
    })
  })

  test('the first host names the cluster', () => {
    const first = answers({ name: 'h1', addresses: { mgmt: '10.0.0.11', storage: '', tenant: '' } })
    expect(problemsOf('planes', first, [], en)).toEqual({ clusterName: en.add.badName })
    expect(problemsOf('planes', { ...first, clusterName: 'lab', clusterIp: '10.0.0.100' }, [], en)).toEqual({ clusterIp: en.add.badCidr })
    expect(problemsOf('planes', { ...first, clusterName: 'lab', clusterIp: '10.0.0.100/24' }, [], en)).toEqual({})
    expect(newClusterOf({ ...first, clusterName: 'lab' }, [])).toEqual({ newCluster: { name: 'lab' } })
    expect(newClusterOf({ ...first, clusterName: 'lab' }, ['h1'])).toEqual({})
  })

  test('sends what was answered and nothing else', () => {
    expect(targetOf(answers({ address: ' h1 ', port: '2222', method: 'key', keyPath: '~/.ssh/k', password: 'left over' }))).toEqual({
      address: 'h1',
      port: 2222,
      user: 'root',
      auth: { type: 'key', path: '~/.ssh/k' },
    })
    expect(targetOf(answers({ address: 'h1', method: 'agent', through: true, jumpAddress: 'gate', jumpKeyPath: 'k' })).jump).toEqual({
      address: 'gate',
      port: 22,
      user: 'root',
      keyPath: 'k',
    })
    expect(addressesOf(answers({ addresses: { mgmt: '10.0.0.1', storage: '', tenant: '10.2.0.1' } }))).toEqual({
      mgmt: '10.0.0.1',
      tenant: '10.2.0.1',
    })
  })
})
