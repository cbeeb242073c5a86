import { describe, expect, test } from 'vitest'
import { emptyVirtualNetwork } from '../../../core/model/network.ts'
import { exportDeclaration } from '../../../core/net/declaration/export.ts'
import { parseDeclaration } from '../../../core/net/declaration/parse.ts'
import { planNetwork } from '../../../core/net/declaration/plan.ts'
import { viewOf } from '../network/view.ts'
import { withoutObject } from './removal.ts'

const declaration = `
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1}
  - {name: db, vpc: shop, subnet: 10.20.2.0/24, gateway: 10.20.2.1}
  - {name: desks, vpc: office, subnet: 10.30.1.0/24, gateway: 10.30.1.1}
routers:
  - {name: shop, vpc: shop, networks: [web, db]}
  - {name: office, vpc: office, networks: [desks]}
peerings:
  - {name: shop-office, routers: [shop, office]}
hosts:
  - {name: legacy-1, tunnelEnd: {ip: 10.7.2.50, mac: "02:00:00:00:00:50"}}
vips:
  - {name: web-vip, network: web, ip: 10.20.1.100, ports: [web-1, web-2], healthCheck: {tcp: 80}, priorities: {web-1: 9, web-2: 5}}
  - {name: db-vip, network: db, ip: 10.20.2.100, ports: [db-1]}
acls:
  - {name: no-ssh, network: db, direction: in, priority: 100, match: {proto: tcp, dport: 22}, action: drop}
  - {name: quarantine, port: db-1, direction: out, priority: 5, match: {}, action: drop}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, host: h1, attach: {kind: netns}}
  - {name: db-1, network: db, ip: 10.20.2.11, host: h1, attach: {kind: netns}}
  - {name: legacy, network: web, ip: 10.20.1.40, host: legacy-1, attach: {kind: remote}}
`
const options = { hosts: ['h1'], prune: true }
const { next } = planNetwork(emptyVirtualNetwork, parseDeclaration(declaration), options)
const view = viewOf({ revision: 1, ...next })

/** What deleting an object makes of the network, as the planner sees it. */
function deleted(kind: string, id: string): string[] {
  const text = withoutObject(exportDeclaration(next), view, { kind, id })
  return planNetwork(next, parseDeclaration(text), options).changes.map((change) => `${change.change} ${change.kind} ${change.name}`)
}

describe('an object is deleted with what cannot be without it', () => {
  test.each([
    ['port', 'db-1', ['delete acl quarantine', 'delete port db-1', 'delete vip db-vip']],
    ['port', 'web-1', ['delete port web-1', 'change vip web-vip']],
    ['vip', 'web-vip', ['delete vip web-vip']],
    ['host', 'legacy-1', ['delete port legacy', 'delete host legacy-1']],
    ['acl', 'no-ssh', ['delete acl no-ssh']],
    [
      'network',
      'db',
      ['delete network db', 'change router shop', 'delete acl no-ssh', 'delete acl quarantine', 'delete port db-1', 'delete vip db-vip'],
    ],
    ['router', 'office', ['delete router office', 'delete peering shop-office']],
    ['peering', 'shop-office', ['delete peering shop-office']],
    ['vpc', 'office', ['delete vpc office', 'delete network desks', 'delete router office', 'delete peering shop-office']],
    ['host', 'h1', []],
  ])('%s %s', (kind, id, changes) => expect(deleted(kind, id)).toEqual(changes))
})
