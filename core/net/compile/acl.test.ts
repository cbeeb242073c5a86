import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matchesOf } from './acl.ts'
import { portMasks } from './port-masks.ts'

describe("an ACL's match", () => {
  it.each([
    [{}, ['ip', 'ipv6']],
    [{ proto: 'tcp' as const }, ['tcp', 'tcp6']],
    [{ proto: 'icmp' as const }, ['ip,nw_proto=1']],
    [{ proto: 'icmp6' as const }, ['ipv6,nw_proto=58']],
    [{ proto: 47 }, ['ip,nw_proto=47', 'ipv6,nw_proto=47']],
    [{ proto: 17, src: '10.0.0.0/8', dport: 53 }, ['udp,nw_src=10.0.0.0/8,tp_dst=53']],
    [{ dst: 'fd00::/8' }, ['ipv6,ipv6_dst=fd00::/8']],
    [{ proto: 'tcp' as const, src: '10.0.0.0/8', sport: [0, 65_535] as [number, number] }, ['tcp,nw_src=10.0.0.0/8']],
  ])('%j', (match, flows) => expect(matchesOf(match)).toEqual(flows))
})

describe('a range of ports', () => {
  const pair = fc.tuple(fc.nat(0xffff), fc.nat(0xffff)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as [number, number])

  it('is covered by its masks, each port once, and no other port is', () => {
    fc.assert(
      fc.property(pair, fc.nat(0xffff), ([first, last], extra) => {
        const masks = portMasks('tp_dst', [first, last])
        const hits = (port: number): number =>
          masks.filter((text) => {
            if (text === undefined) return true
            const [value = 0, mask = 0xffff] = text.slice('tp_dst='.length).split('/').map(Number)
            return (port & mask) === value
          }).length
        for (const port of [first, last, (first + last) >> 1, first - 1, last + 1, extra]) {
          if (port >= 0 && port <= 0xffff) expect(hits(port), `${port} in ${first}-${last}`).toBe(port >= first && port <= last ? 1 : 0)
        }
        expect(masks.length).toBeLessThanOrEqual(30)
      }),
    )
  })
})
