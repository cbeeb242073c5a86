import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tunnelMacOf } from '../tunnel-mac.ts'
import { broadcastNodes, clusterEnd, nodesFor, watchedHosts } from './nodes.ts'

const endOf = (ip: string) => ({ ip, mac: tunnelMacOf(ip) })
const ends = new Map(['h10', 'h2', 'h1'].map((name) => [name, endOf(`10.9.3.${name.slice(1)}`)]))
const names = (nodes: readonly { host: string }[]) => nodes.map(({ host }) => host)

describe('the nodes of the broadcast cluster', () => {
  it('are the first two hosts as people count, where none is declared', () => {
    expect(names(broadcastNodes({ hosts: [] }, ends))).toEqual(['h1', 'h2'])
    expect(names(broadcastNodes({ hosts: [{ name: 'h10', roles: ['gateway'] }] }, ends))).toEqual(['h1', 'h2'])
    expect(broadcastNodes({ hosts: [] }, new Map())).toEqual([])
  })

  it('are the declared ones, of which it is known where their tunnels end', () => {
    const hosts = [
      { name: 'h10', roles: ['broadcast' as const] },
      { name: 'h7', roles: ['broadcast' as const] },
    ]
    expect(broadcastNodes({ hosts }, ends)).toEqual([{ host: 'h10', replicator: endOf('169.254.3.10') }])
  })

  it('come before gateways among those that are watched, so that a gateway moves no port of theirs', () => {
    const hosts = [
      { name: 'h1', roles: ['gateway' as const] },
      { name: 'h10', roles: ['broadcast' as const, 'gateway' as const] },
    ]
    expect(names(watchedHosts({ hosts }, ends))).toEqual(['h10', 'h1'])
  })

  it('leave the cluster an address that none of them has', () => {
    const taken = [250, 249].map((last) => ({ host: `h${last}`, replicator: endOf(`169.254.255.${last}`) }))
    expect(clusterEnd([])).toEqual(endOf('169.254.255.250'))
    expect(clusterEnd(taken).ip).toBe('169.254.255.248')
  })

  it('share the networks, and one that goes moves only its own', () => {
    const node = (number: number) => ({ host: `n${number}`, replicator: endOf(`169.254.0.${number}`) })
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 9 }),
        fc.nat(),
        fc.array(fc.integer({ min: 1, max: 0xff_fffe }), { maxLength: 50 }),
        (count, which, vnis) => {
          const nodes = Array.from({ length: count }, (_, index) => node(index))
          const gone = nodes[which % count]!
          const left = nodes.filter((one) => one !== gone)
          for (const vni of vnis) {
            const order = nodesFor(vni, nodes)
            expect(names(order).sort()).toEqual(names(nodes))
            expect(nodesFor(vni, nodes.toReversed())).toEqual(order)
            expect(nodesFor(vni, left)).toEqual(order.filter((one) => one !== gone))
          }
        },
      ),
    )
    const nodes = [node(1), node(2), node(3)]
    const first = Map.groupBy(
      Array.from({ length: 3000 }, (_, vni) => nodesFor(vni, nodes)[0]!.host),
      (host) => host,
    )
    for (const share of first.values()) expect(share.length).toBeGreaterThan(800)
  })
})
