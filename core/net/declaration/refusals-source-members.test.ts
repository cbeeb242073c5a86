import { expect, test } from 'vitest'
import { HoldfastError } from '../../errors.ts'
import { emptyVirtualNetwork, type VirtualNetwork } from '../../model/network.ts'
import { maxSourceMembers } from '../broadcast/source-limit.ts'
import { parseDeclaration } from './parse.ts'
import { planNetwork } from './plan.ts'

const hosts = Array.from({ length: maxSourceMembers + 3 }, (_, index) => `h${index + 1}`)
const plan = (text: string, current = emptyVirtualNetwork): VirtualNetwork =>
  planNetwork(current, parseDeclaration(text), { hosts, prune: false }).next

function problemsOf(text: string, current?: VirtualNetwork): unknown {
  try {
    plan(text, current)
  } catch (thrown) {
    if (thrown instanceof HoldfastError) return thrown.data['problems']
    throw thrown
  }
  return []
}

const port = (host: number): string =>
  `  - {name: p${host}, network: wide, ip: 10.20.${host >> 8}.${host & 255}, host: h${host}, attach: {kind: netns}}`
const ports = (count: number): string[] => Array.from({ length: count }, (_, index) => port(index + 1))
const network = (mode: string): string[] => ['networks:', `  - {name: wide, vpc: shop, subnet: 10.20.0.0/16, broadcast: ${mode}}`, 'ports:']
const declaration = (mode: string, count: number, more: string[] = []): string => [...network(mode), ...ports(count), ...more].join('\n')

const message = (count: number): string =>
  `Network wide has ports on ${count} hosts, and in mode source a broadcast reaches ${maxSourceMembers} at most`
const remedy = 'Write broadcast: cluster or cluster+garp for that network.'

test('as many hosts as a broadcast can reach from its source', () => {
  expect(problemsOf(declaration('source', maxSourceMembers))).toEqual([])
  expect(
    problemsOf(declaration('source', maxSourceMembers, ['  - {name: again, network: wide, ip: 10.20.9.1, host: h1, attach: {kind: netns}}'])),
  ).toEqual([])
})

test('more are refused where the network is declared, in that mode alone', () => {
  const count = maxSourceMembers + 1
  expect(problemsOf(declaration('source', count))).toEqual([{ line: 2, path: 'networks.wide.broadcast', message: message(count), remedy }])
  for (const mode of ['cluster', 'cluster+garp']) expect(problemsOf(declaration(mode, count))).toEqual([])
})

test('a port on one host too many, of a network that the document does not name', () => {
  const current = plan(declaration('source', maxSourceMembers))
  const text = ['ports:', port(1), port(maxSourceMembers + 1), port(maxSourceMembers + 2)].join('\n')
  const path = `ports.p${maxSourceMembers + 1}.host`
  expect(problemsOf(text, current)).toEqual([{ line: 3, path, message: message(maxSourceMembers + 2), remedy }])
})

test('every gateway counts for a network with a server in a VLAN', () => {
  const server = '  - {name: phys-1, network: wide, ip: 10.20.9.1, attach: {kind: vlan, nic: tenant, vlan: 100}}'
  const gateways = (...places: number[]): string[] => ['hosts:', ...places.map((place) => `  - {name: h${place}, roles: [gateway]}`)]
  const withServer = (...places: number[]): string => declaration('source', maxSourceMembers - 1, [server, ...gateways(...places)])
  expect(problemsOf(withServer(1, maxSourceMembers))).toEqual([])
  const count = maxSourceMembers + 1
  expect(problemsOf(withServer(maxSourceMembers, count))).toEqual([{ line: 2, path: 'networks.wide.broadcast', message: message(count), remedy }])
})
