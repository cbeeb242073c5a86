import { describe, expect, it } from 'vitest'
import { emptyVirtualNetwork } from '../../core/model/network.ts'
import { indexNetwork } from '../../core/net/compile/view.ts'
import { parseDeclaration } from '../../core/net/declaration/parse.ts'
import { planNetwork } from '../../core/net/declaration/plan.ts'
import { parseFrame } from '../../core/net/packet/parse.ts'
import { liveWatches, takeoverFrames } from './gateway-takeover.ts'

describe('a gateway that takes over', () => {
  it('reads which others live', () => {
    const text =
      '---- hfwatch17 ----\n  Forwarding: true\n  Local Session State: up\n---- hfwatch16 ----\n  Forwarding: false\n---- tun0 ----\n  Forwarding: true\n'
    expect([...liveWatches(text)]).toEqual([17])
    expect([...liveWatches('')]).toEqual([])
  })

  it('announces, with the tag of the VLAN, all that is behind the network and nothing that is in the VLAN', () => {
    const network = planNetwork(
      emptyVirtualNetwork,
      parseDeclaration(`
hosts: [{name: h1, roles: [gateway]}]
networks: [{name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1}]
routers: [{name: shop, vpc: shop, networks: [web]}]
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, host: h1, attach: {kind: netns}}
  - {name: phys-1, network: web, ip: 10.20.1.31, attach: {kind: vlan, nic: tenant, vlan: 100}}
vips:
  - {name: out, network: web, ip: 10.20.1.100, ports: [web-1]}
  - {name: in, network: web, ip: 10.20.1.101, ports: [phys-1]}
`),
      { hosts: ['h1'], prune: false },
    ).next
    const index = indexNetwork({ network, hosts: new Map([['h1', { ip: '10.9.0.1', mac: '0a:58:0a:09:00:01' }]]) })
    const mac = (name: string) => network.ports.find((port) => port.name === name)!.mac
    const owners = new Map([
      ['out', { port: 'web-1', mac: mac('web-1') }],
      ['in', { port: 'phys-1', mac: mac('phys-1') }],
    ])
    const frames = takeoverFrames(index, index.vlans[0]!, owners).map((frame) => parseFrame(frame)!)
    expect(frames.map(({ src, arp }) => [src, arp?.spa, arp?.tpa])).toEqual([
      [mac('web-1'), '10.20.1.11', '10.20.1.11'],
      [network.routers[0]!.mac, '10.20.1.1', '10.20.1.1'],
      [mac('web-1'), '10.20.1.100', '10.20.1.100'],
    ])
    for (const { vlans } of frames) expect(vlans).toEqual([expect.objectContaining({ vid: 100 })])
  })
})
