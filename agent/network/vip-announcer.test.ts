import { beforeEach, expect, it, vi } from 'vitest'
import { emptyVirtualNetwork } from '../../core/model/network.ts'
import type { Owner } from '../../core/net/broadcast/claims.ts'
import { parseDeclaration } from '../../core/net/declaration/parse.ts'
import { planNetwork } from '../../core/net/declaration/plan.ts'
import { World } from '../../core/sim/env.ts'
import type { Logger } from '../runtime/logger.ts'
import type { StoredVip } from './desired.ts'
import { VipAnnouncer } from './vip-announcer.ts'

const sent: string[] = []
vi.mock('./switch/ovs-programs.ts', () => ({
  ofctl: (argv: readonly string[]) => {
    sent.push(argv.join(' '))
    return Promise.resolve('')
  },
}))
beforeEach(() => sent.splice(0))

const network = planNetwork(
  emptyVirtualNetwork,
  parseDeclaration(`
networks: [{name: web, vpc: shop, subnet: 10.20.1.0/24}]
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, mac: "02:00:00:00:00:11", host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, mac: "02:00:00:00:00:12", host: h2, attach: {kind: netns}}
vips:
  - {name: own, network: web, ip: 10.20.1.100, ports: [web-1, web-2]}
  - {name: driven, network: web, ip: 10.20.1.101, ports: [web-1, web-2], healthCheck: {tcp: 80}}
`),
  { hosts: ['h1', 'h2'], prune: false },
).next

function announcer() {
  const world = new World(1)
  const vips = new Map<string, StoredVip>()
  const made = new VipAnnouncer({
    env: { after: (ms: number, run: () => void) => world.after(ms, run) } as never,
    logger: {} as Logger,
    virtualSwitch: { target: () => 'br-int' },
    host: 'h1',
    desired: { vips },
  })
  let revision = 0
  const isAt = (vip: string, number: 1 | 2, unannounced?: true) => {
    const owner: Owner = {
      port: `web-${number}`,
      host: `h${number}`,
      mac: `02:00:00:00:00:1${number}`,
      sinceMs: 0,
      ...(unannounced && { unannounced }),
    }
    vips.set(vip, { record: { owner, claimants: [], history: [] }, revision: ++revision })
    made.placed(network)
  }
  const pass = (ms: number) => world.runUntil(world.nowMs + ms)
  return { isAt, pass, made }
}

it('announces what the platform gave to a guest here three times, once a move', () => {
  const { isAt, pass, made } = announcer()
  isAt('driven', 1)
  made.placed(network)
  pass(10_000)
  expect(sent).toHaveLength(3)
  isAt('driven', 2)
  pass(10_000)
  expect(sent).toHaveLength(3)
})

it('leaves what guests settle among themselves to them, unless its owner was silent', () => {
  const { isAt, pass } = announcer()
  isAt('own', 1)
  pass(10_000)
  expect(sent).toEqual([])
  isAt('own', 1, true)
  pass(10_000)
  expect(sent).toHaveLength(3)
})

it('is silent at once when the address has gone elsewhere', () => {
  const { isAt, pass } = announcer()
  isAt('own', 1, true)
  isAt('own', 2)
  pass(10_000)
  expect(sent).toHaveLength(1)
})
