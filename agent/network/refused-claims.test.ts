import { describe, expect, it } from 'vitest'
import { emptyVirtualNetwork } from '../../core/model/network.ts'
import { compileHost } from '../../core/net/compile/compile.ts'
import { indexNetwork } from '../../core/net/compile/view.ts'
import { parseDeclaration } from '../../core/net/declaration/parse.ts'
import { planNetwork } from '../../core/net/declaration/plan.ts'
import { claimsRefused } from './refused-claims.ts'

describe('refused claims', () => {
  it('are read from the flows that dropped them, by VIP and port', () => {
    const network = planNetwork(
      emptyVirtualNetwork,
      parseDeclaration(`
networks: [{name: web, vpc: shop, subnet: 10.20.1.0/24, subnet6: "fd00:1::/64"}]
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, host: h1, attach: {kind: netns}}
vips:
  - {name: four, network: web, ip: 10.20.1.100, ports: [web-1]}
  - {name: six, network: web, ip: "fd00:1::100", ports: [web-1]}
`),
      { hosts: ['h1'], prune: false },
    ).next
    const flows = compileHost(indexNetwork({ network, hosts: new Map() }), 'h1').map((flow, index) => ({ ...flow, packets: index, bytes: 0 }))
    expect([...claimsRefused(flows, network).values()].map(({ vip, port }) => `${vip} ${port}`).sort()).toEqual(['four web-2', 'six web-2'])
    expect(
      claimsRefused(
        flows.map((flow) => ({ ...flow, packets: 0 })),
        network,
      ).size,
    ).toBe(0)
  })
})
