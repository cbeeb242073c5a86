import { expect, it } from 'vitest'
import { emptyVirtualNetwork } from '../../core/model/network.ts'
import type { Master } from '../../core/net/broadcast/masters.ts'
import { parseDeclaration } from '../../core/net/declaration/parse.ts'
import { planNetwork } from '../../core/net/declaration/plan.ts'
import type { ObjectLog } from '../../core/sync/object-log.ts'
import { vipRecordSchema } from './documents.ts'
import { reportVips } from './vip-report.ts'

const network = planNetwork(
  emptyVirtualNetwork,
  parseDeclaration(`
networks: [{name: web, vpc: shop, subnet: 10.20.1.0/24}]
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, host: h2, attach: {kind: netns}}
vips: [{name: web-vip, network: web, ip: 10.20.1.100, ports: [web-1, web-2]}]
`),
  { hosts: ['h1', 'h2'], prune: false },
).next

const master = (number: number): Master => ({
  ...{ network: 'web', ip: '10.20.1.100', mac: `02:00:00:00:00:1${number}`, port: `web-${number}`, host: `h${number}`, atMs: 1000, router: 51 },
})
/** As versions wrote it that kept claimants in it. */
const stored = JSON.stringify({
  owner: { port: 'web-1', host: 'h1', mac: '02:00:00:00:00:11', sinceMs: 500 },
  claimants: [1, 2].map((number) => ({ ...master(number), router: undefined })),
  history: [{ from: null, to: 'web-1', atMs: 500, outageMs: null }],
})

function reported(masters: readonly Master[]) {
  const docs: unknown[] = []
  const log = { list: () => [], put: ({ doc }: { doc: unknown }) => docs.push(doc) } as unknown as ObjectLog
  const vips = new Map([['web-vip', { record: vipRecordSchema.parse(JSON.parse(stored)), revision: 7 }]])
  reportVips(log, { network, vips, refused: new Map(), health: new Map(), masters: new Map([['h1', { 'web-vip': masters }]]) }, 60_000)
  return docs[0]
}

it('claimants are those that nodes hear now, whatever the record of an earlier version says', () => {
  expect(reported([])).toMatchObject({ owner: { port: 'web-1', epoch: 7 }, claimants: [], history: [{ to: 'web-1' }] })
  expect(reported([master(1), master(2)])).toMatchObject({ owner: { epoch: 7 }, claimants: [{ port: 'web-1' }, { port: 'web-2' }] })
})
