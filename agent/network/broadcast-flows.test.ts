import { describe, expect, it } from 'vitest'
import { emptyVirtualNetwork, type VirtualNetwork } from '../../core/model/network.ts'
import { parseDeclaration } from '../../core/net/declaration/parse.ts'
import { planNetwork } from '../../core/net/declaration/plan.ts'
import { BroadcastFlows } from './broadcast-flows.ts'
import { FlowCompiler } from './flow-compiler.ts'

const hosts = ['h1', 'h2', 'h3', 'h4']
const ends = new Map(hosts.map((host, index) => [host, { ip: `10.9.0.${index + 1}`, mac: `0a:58:0a:09:00:0${index + 1}` }]))
const port = (name: string, network: string, host: string) =>
  `{name: ${name}, network: ${network}, ip: 10.20.${network === 'web' ? 1 : 2}.${10 + Number(name.split('-')[1])}, host: ${host}, attach: {kind: netns}}`
const planned = (declaration: string, current: VirtualNetwork = emptyVirtualNetwork): VirtualNetwork =>
  planNetwork(current, parseDeclaration(declaration), { hosts, prune: false }).next
const shop = (mode: string) => `
hosts: [{name: h1, roles: [broadcast]}, {name: h2, roles: [broadcast]}]
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, broadcast: ${mode}}
  - {name: db, vpc: shop, subnet: 10.20.2.0/24, broadcast: ${mode}}
ports: [${port('web-1', 'web', 'h3')}, ${port('web-2', 'web', 'h2')}, ${port('db-1', 'db', 'h3')}]
`

/** What a host counts when a network becomes one after the other of these. */
function countedAt(host: string, ...networks: VirtualNetwork[]): (number | undefined)[] {
  const compiler = new FlowCompiler(host)
  const flows = new BroadcastFlows()
  return networks.map((network) => {
    flows.placed(compiler.compile(network, ends))
    return flows.changed
  })
}

describe('flows that send broadcast to other hosts', () => {
  it.each([
    ['source', 1],
    ['cluster', 0],
    ['cluster+garp', 0],
  ])('in mode %s change %i times when a host joins', (mode, changes) => {
    const before = planned(shop(mode))
    const joined = planned(`ports: [${port('web-3', 'web', 'h4')}]`, before)
    expect(countedAt('h3', before, joined)).toEqual([0, changes])
    expect(countedAt('h3', joined, before)).toEqual([0, changes])
  })

  it.each(['source', 'cluster'])('in mode %s stay when a port comes to a host that is a member already, and to this one', (mode) => {
    const before = planned(shop(mode))
    const more = planned(`ports: [${port('web-3', 'web', 'h2')}, ${port('web-4', 'web', 'h3')}]`, before)
    expect(countedAt('h3', before, more, before)).toEqual([0, 0, 0])
  })

  it('change with the mode, in each network that does', () => {
    const cluster = planned(shop('cluster'))
    const source = planned(shop('source'), cluster)
    expect(countedAt('h3', cluster, source, cluster)).toEqual([0, 2, 4])
  })

  it('are not counted before there are any', () => {
    expect(new BroadcastFlows().changed).toBeUndefined()
  })
})
