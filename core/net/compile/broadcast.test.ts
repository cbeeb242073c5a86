import { describe, expect, it } from 'vitest'
import { emptyVirtualNetwork, type VirtualNetwork } from '../../model/network.ts'
import { parseDeclaration } from '../declaration/parse.ts'
import { planNetwork } from '../declaration/plan.ts'
import type { Flow } from '../openflow/flow.ts'
import { compileHost } from './compile.ts'
import { parseCookie } from './cookie.ts'
import { compileGroups, groupOf } from './groups.ts'
import { tables, type Stage } from './tables.ts'
import { vlanGroups } from './vlans.ts'
import { indexNetwork, type VipPlace } from './view.ts'

const text = (mode: string) => `
hosts:
  - {name: h1, roles: [broadcast]}
  - {name: h2, roles: [broadcast, gateway]}
  - {name: h3, roles: [gateway]}
networks:
  - {name: web, vpc: shop, vni: 500, subnet: 10.20.1.0/24, gateway: 10.20.1.1, subnet6: "fd00:1::/64", gateway6: "fd00:1::1", broadcast: ${mode}}
  - {name: db, vpc: shop, vni: 501, subnet: 10.20.2.0/24, gateway: 10.20.2.1}
routers:
  - {name: shop, vpc: shop, networks: [web, db]}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, host: h2, attach: {kind: netns}}
  - {name: db-1, network: db, ip: 10.20.2.11, host: h1, attach: {kind: netns}}
  - {name: phys-1, network: web, ip: 10.20.1.31, mac: "02:00:00:00:00:31", host: h3, attach: {kind: vlan, nic: tenant, vlan: 100}}
  - {name: phys-2, network: web, ip: 10.20.1.32, mac: "02:00:00:00:00:32", host: h3, attach: {kind: vlan, nic: tenant, vlan: 100}}
vips:
  - {name: web-vip, network: web, ip: 10.20.1.100, ports: [web-1, phys-1]}
  - {name: web-vip6, network: web, ip: "fd00:1::100", ports: [web-1, phys-1]}
`
const names = ['h1', 'h2', 'h3', 'h4']
const hosts = new Map(names.map((name, index) => [name, { ip: `10.9.0.${index + 1}`, mac: `0a:58:0a:09:00:0${index + 1}` }]))
const planned = (mode: string, more = '', current: VirtualNetwork = emptyVirtualNetwork): VirtualNetwork =>
  planNetwork(current, parseDeclaration(more || text(mode)), { hosts: names, prune: false }).next
const flowsOf = (network: VirtualNetwork, host: string, owners?: ReadonlyMap<string, VipPlace>): Flow[] =>
  compileHost(indexNetwork({ network, hosts, owners }), host)
const find = (flows: readonly Flow[], stage: Stage, ...parts: string[]): Flow[] =>
  flows.filter(({ table, match }) => table === tables[stage] && parts.every((part) => match.includes(part)))
const toMany = 'dl_dst=01:'
const fromHere = (network: VirtualNetwork, host: string): string => find(flowsOf(network, host), 'fdb', 'reg0=500', 'reg9=0', toMany)[0]!.actions
const port = (network: VirtualNetwork, name: string) => network.ports.find((one) => one.name === name)!

describe('broadcast', () => {
  const network = planned('cluster')
  const { nodes, watched } = indexNetwork({ network, hosts })

  it('goes to the cluster once, whoever the members are', () => {
    const one = fromHere(network, 'h1')
    expect(one.match(/output/g)).toBeNull()
    expect(one).toContain(
      `group:${groupOf(
        nodes,
        network.networks.find(({ name }) => name === 'web')!,
      )}`,
    )
    const joined = planned('', 'ports:\n  - {name: web-9, network: web, ip: 10.20.1.19, host: h4, attach: {kind: netns}}\n', network)
    expect(fromHere(joined, 'h1')).toBe(one)
  })

  it('is copied by its sender’s host in mode source, to gateways as well, and one that joins changes that', () => {
    const source = planned('source')
    expect(fromHere(source, 'h1').match(/->tun_dst/g)).toHaveLength(2)
    const joined = planned('', 'ports:\n  - {name: web-9, network: web, ip: 10.20.1.19, host: h4, attach: {kind: netns}}\n', source)
    expect(fromHere(joined, 'h1').match(/->tun_dst/g)).toHaveLength(3)
  })

  it('is copied by its sender’s host where there is no node at all', () => {
    const index = indexNetwork({ network: { ...network, hosts: [{ name: 'h9', roles: ['broadcast'] }] }, hosts })
    expect(find(compileHost(index, 'h1'), 'fdb', 'reg0=500', 'reg9=0', toMany)[0]!.actions).toContain('->tun_dst')
  })

  it('fails over to the other node in the data path, and never to nowhere', () => {
    const groups = compileGroups(nodes)
    expect(groups).toHaveLength(4)
    for (const group of groups) {
      const buckets = group.split('bucket=').slice(1)
      expect(buckets).toHaveLength(3)
      expect(buckets[0]!.replace(/watch_port=\d+,/, '')).toBe(`${buckets[2]!.replace(/watch_port=\d+,/, '')},`)
      expect(buckets[2]).toMatch(/^watch_port=[12],/)
    }
    expect(compileGroups(nodes.slice(0, 1))).toHaveLength(2)
    expect(watched.map(({ host }) => host)).toEqual(['h1', 'h2', 'h3'])
  })
})

describe('a floating address', () => {
  const owner = { port: 'phys-1', mac: '02:00:00:00:00:31' }
  const owners = new Map([
    ['web-vip', owner],
    ['web-vip6', owner],
  ])

  it('may be sent from by its ports alone, also from a virtual router’s MAC', () => {
    const network = planned('cluster')
    const flows = flowsOf(network, 'h1')
    const { number, mac } = port(network, 'web-1')
    const own = find(flows, 'portSecurity', `reg1=${number}`, 'arp_spa=10.20.1.100')
    expect(own.map(({ match }) => /arp_sha=([^,]*)/.exec(match)![1]).sort()).toEqual(['00:00:5e:00:01:00/ff:ff:ff:ff:ff:00', mac].sort())
    const refused = flowsOf(network, 'h2').filter(({ cookie }) => parseCookie(cookie)?.reason === 'vip-claim')
    expect(refused.map(({ actions }) => actions)).toEqual(['drop', 'drop', 'drop', 'drop'])
    const other = port(network, 'web-2').number
    expect(
      find(refused, 'portSecurity', `reg1=${other}`)
        .map(({ match }) => match.replace(`,reg1=${other}`, ''))
        .sort(),
    ).toEqual(['arp,arp_spa=10.20.1.100', 'icmp6,icmp_type=136,nd_target=fd00:1::100'])
  })

  it.each(['source', 'cluster'])('is never answered for by proxy in mode %s, and layer 3 has it at its first port', (mode) => {
    const network = planned(mode)
    const flows = flowsOf(network, 'h1', owners)
    expect(find(flows, 'arpAnswer', 'arp_tpa=10.20.1.100', 'arp_op=1')).toEqual([])
    const [hop] = find(flows, 'nextHop', 'reg0=500', 'reg4=0xa140164')
    expect(hop!.actions).toContain(port(network, 'web-1').mac)
  })

  it('is where it was announced in mode cluster+garp: answered for, and routed to', () => {
    const network = planned('cluster+garp')
    const before = flowsOf(network, 'h1')
    expect(find(before, 'nextHop', 'reg4=0xa140164')).toEqual([])
    const flows = flowsOf(network, 'h1', owners)
    expect(find(flows, 'arpAnswer', 'arp_tpa=10.20.1.100', 'arp_op=1')[0]!.actions).toContain(`set_field:${owner.mac}->arp_sha`)
    expect(find(flows, 'nextHop', 'reg4=0xa140164')[0]!.actions).toContain(owner.mac)
    expect(find(flows, 'nextHop', 'xxreg1=').some(({ actions }) => actions.includes(owner.mac))).toBe(true)
    // What a port says of it itself is for the others.
    expect(find(flows, 'arpAnswer', 'arp_tpa=10.20.1.100', `reg1=${port(network, 'web-1').number}`)[0]!.actions).not.toContain('in_port')
  })

  it('is not believed to be at a port that may not have it', () => {
    const flows = flowsOf(planned('cluster+garp'), 'h1', new Map([['web-vip', { port: 'web-2', mac: '02:00:00:00:00:99' }]]))
    expect(find(flows, 'nextHop', 'reg4=0xa140164')).toEqual([])
  })

  it('under a virtual router’s MAC is reached by that MAC', () => {
    const floating = { port: 'web-1', mac: '00:00:5e:00:01:33' }
    const network = planned('cluster+garp')
    const away = flowsOf(network, 'h2', new Map([['web-vip', floating]]))
    expect(find(away, 'fdb', 'reg0=500', `dl_dst=${floating.mac}`)[0]!.actions).toContain('set_field:10.9.0.1->tun_dst')
    // Nobody has announced it: whoever has taken it hears it.
    expect(find(flowsOf(network, 'h1'), 'fdb', 'reg0=500', 'reg9=0', 'dl_dst=00:00:5e:00:01:00/ff:ff:ff:ff:ff:00')[0]!.actions).toContain('group:')
  })
})

describe('a VLAN behind gateways', () => {
  const network = planned('cluster')
  const index = indexNetwork({ network, hosts })
  const first = port(network, 'phys-1').number < port(network, 'phys-2').number ? 'phys-1' : 'phys-2'
  const device = port(network, first).number
  const bucketsOf = (host: string): string[][] =>
    vlanGroups(index, host).map((group) =>
      group
        .split('bucket=')
        .slice(1)
        .map((one) => one.replace(/,$/, '')),
    )

  it('is entered at the first gateway that lives, and at this one only while those before it do not', () => {
    // h3 is where the ports are declared, so it comes first. Ports 129 and 130 watch h2 and h3.
    expect(bucketsOf('h1')).toEqual([
      [
        'watch_port=130,actions=set_field:10.9.0.3->tun_dst,output:1',
        'watch_port=129,actions=set_field:10.9.0.2->tun_dst,output:1',
        'watch_port=1,actions=set_field:10.9.0.3->tun_dst,output:1',
      ],
    ])
    expect(bucketsOf('h2')[1]).toEqual(['watch_port=130,actions=drop', `watch_port=${device},actions=resubmit(,${tables.trackIn})`])
    expect(bucketsOf('h2')[2]).toEqual(['watch_port=130,actions=drop', `watch_port=${device},actions=resubmit(,${tables.portSecurity})`])
    expect(bucketsOf('h3')[1]).toEqual([`watch_port=${device},actions=resubmit(,${tables.trackIn})`])
  })

  it('is taken from by known servers alone, each as its own port', () => {
    const flows = flowsOf(network, 'h3')
    for (const name of ['phys-1', 'phys-2']) {
      const { mac, number } = port(network, name)
      expect(find(flows, 'classify', `in_port=${device}`, `dl_src=${mac}`)[0]!.actions).toContain(`set_field:${number}->reg1`)
    }
    const other = find(flows, 'classify', `in_port=${device}`).find(({ priority }) => priority === 1)!
    expect([other.actions, parseCookie(other.cookie)?.reason]).toEqual(['drop', 'port-security'])
    expect(flowsOf(network, 'h1').some(({ match }) => match.includes(`in_port=${device}`))).toBe(false)
  })

  it('gets a frame for many once, and never its own back from the network', () => {
    const groups = vlanGroups(index, 'h3')
    const into = /group_id=(\d+)/.exec(groups[1]!)![1]
    const flows = flowsOf(network, 'h3')
    expect(
      find(flows, 'fdb', 'reg0=500', 'reg9=1', toMany)
        .find(({ priority }) => priority === 100)!
        .actions.match(new RegExp(`group:${into}`, 'g')),
    ).toHaveLength(1)
    const back = find(flows, 'fdb', 'reg0=500', 'reg9=1', `dl_src=${port(network, 'phys-1').mac}`, toMany)[0]!
    expect(back.priority).toBeGreaterThan(100)
    expect(back.actions).not.toContain(`group:${into}`)
  })

  it('has all its servers behind one port of the switch', () => {
    const second = port(network, first === 'phys-1' ? 'phys-2' : 'phys-1')
    expect(find(flowsOf(network, 'h3'), 'output', `reg2=${second.number}`)[0]!.actions).toBe(`output:${device}`)
  })
})
