import fc from 'fast-check'
import { expect, it } from 'vitest'
import { emptyVirtualNetwork } from '../../model/network.ts'
import { arbitraryDeclaration } from '../declaration/arbitrary.ts'
import { planNetwork } from '../declaration/plan.ts'
import { compileHost } from './compile.ts'
import { islandsOf, joinIslands } from './islands.ts'
import { indexNetwork } from './view.ts'

const hosts = new Map(['h1', 'h2', 'h3'].map((host, index) => [host, { ip: `10.83.5.1${index}`, mac: `0a:58:0a:53:05:1${index}` }]))

it('compiled apart and joined, islands are the whole', () => {
  const counts = new Set<number>()
  fc.assert(
    fc.property(arbitraryDeclaration(), (declaration) => {
      const { next: network } = planNetwork(emptyVirtualNetwork, declaration, { hosts: [...hosts.keys()], prune: false })
      const islands = [...islandsOf(network).values()]
      counts.add(islands.length)
      for (const host of hosts.keys()) {
        const apart = islands.map((island) => compileHost(indexNetwork({ network: island, hosts }), host))
        expect(joinIslands(apart)).toEqual(islands.length === 0 ? [] : compileHost(indexNetwork({ network, hosts }), host))
      }
    }),
    { numRuns: 60 },
  )
  // Peered and unpeered VPCs were among them.
  expect([...counts].sort()).toEqual(expect.arrayContaining([1, 2]))
})
