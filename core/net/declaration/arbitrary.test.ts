import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { emptyVirtualNetwork } from '../../model/network.ts'
import { arbitraryDeclaration, sampleDeclarations } from './arbitrary.ts'
import { planNetwork } from './plan.ts'
import { declarationSchema, type DeclaredPort } from './schema.ts'

const hosts = ['h1', 'h2', 'h3']

describe('arbitrary declarations', () => {
  test('are right', () => {
    fc.assert(
      fc.property(arbitraryDeclaration({ maxPorts: 25 }), (declaration) => {
        declarationSchema.parse(declaration)
        planNetwork(emptyVirtualNetwork, declaration, { hosts, prune: false })
      }),
      { numRuns: 120 },
    )
  }, 60_000)

  test('are the same for the same seed', () => {
    expect(sampleDeclarations(7, 5)).toEqual(sampleDeclarations(7, 5))
    expect(sampleDeclarations(7, 5)).not.toEqual(sampleDeclarations(8, 5))
  })

  test('have what there is to be tested, in a fair share of them', () => {
    const all = sampleDeclarations(1, 300)
    const share = (has: (declaration: (typeof all)[number]) => boolean): number => all.filter(has).length / all.length
    expect(share(({ networks }) => new Set(networks.map(({ subnet }) => subnet)).size < networks.length)).toBeGreaterThan(0.1)
    expect(share(({ ports }) => ports.some(({ ip6 }) => ip6 !== undefined))).toBeGreaterThan(0.2)
    expect(share(({ routers }) => routers.some(({ networks }) => networks.length > 1))).toBeGreaterThan(0.2)
    expect(share(({ routers }) => routers.some(({ routes }) => routes?.some(({ to }) => to.includes(':'))))).toBeGreaterThan(0.05)
    expect(share(({ peerings }) => peerings.some(({ routes }) => new Set(routes?.map(({ on }) => on)).size === 2))).toBeGreaterThan(0.1)
    const attached = (kind: string) => share(({ ports }) => ports.some(({ attach }) => attach.kind === kind))
    for (const kind of ['netns', 'vm', 'vlan', 'remote']) expect(attached(kind)).toBeGreaterThan(0.2)
    expect(share(({ ports }) => ports.some(({ host }) => host === undefined))).toBeGreaterThan(0.2)
    expect(share(({ ports }) => sharesVlan(ports))).toBeGreaterThan(0.05)
    for (const mode of ['source', 'cluster', 'cluster+garp', undefined]) {
      expect(share(({ networks }) => networks.some(({ broadcast }) => broadcast === mode))).toBeGreaterThan(0.2)
    }
    expect(share(({ hosts }) => hosts.some(({ roles }) => roles?.includes('broadcast')))).toBeGreaterThan(0.2)
    expect(share(({ vips }) => vips.some(({ ports }) => ports.length > 1))).toBeGreaterThan(0.2)
    expect(share(({ vips }) => vips.some(({ ip }) => ip.includes(':')))).toBeGreaterThan(0.05)
    expect(share(({ vips }) => vips.some(({ healthCheck }) => healthCheck !== undefined))).toBeGreaterThan(0.2)
    expect(share(({ routers, vips }) => routers.some(({ routes }) => routes?.some(({ via }) => vips.some(({ ip }) => ip === via))))).toBeGreaterThan(
      0.02,
    )
    expect(share(({ acls }) => acls.some(({ port, match }) => port !== undefined && match.dport !== undefined))).toBeGreaterThan(0.2)
    expect(share(({ acls }) => acls.some(({ stateful }) => stateful === false))).toBeGreaterThan(0.2)
    expect(share(({ acls }) => acls.some(({ match }) => match.proto === 'icmp6'))).toBeGreaterThan(0.05)
    expect(
      share(({ acls }) =>
        acls.some((acl) => acls.some((other) => other !== acl && other.network === acl.network && other.priority === acl.priority)),
      ),
    ).toBeGreaterThan(0.1)
  })
})

function sharesVlan(ports: readonly DeclaredPort[]): boolean {
  const vlans = ports.flatMap(({ attach }) => (attach.kind === 'vlan' ? [attach.vlan] : []))
  return new Set(vlans).size < vlans.length
}
