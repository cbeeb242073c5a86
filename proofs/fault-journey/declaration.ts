/**
 * The network of the journey. Hosts h1 and h3 hang on switch tor1, h2 and h4 on tor2. Network `lone` has no router; what the shop sends to
 * the CRM is routed there and not back; `web-2` is the next hop of a static route.
 */
export const declaration = `
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1}
  - {name: db, vpc: shop, subnet: 10.20.2.0/24, gateway: 10.20.2.1, mtu: 1400}
  - {name: lone, vpc: shop, subnet: 10.20.3.0/24, gateway: 10.20.3.1}
  - {name: crm, vpc: crm, subnet: 10.30.1.0/24, gateway: 10.30.1.1, tunnel: gre}
routers:
  - {name: shop, vpc: shop, networks: [web, db], routes: [{to: 172.16.0.0/12, via: 10.20.1.12}]}
  - {name: crm, vpc: crm, networks: [crm]}
peerings:
  - {name: shop-crm, routers: [shop, crm], routes: [{on: shop, to: 10.30.1.0/24}]}
acls:
  - {name: no-ssh, network: db, direction: in, priority: 100, match: {proto: tcp, dport: 22}, action: drop}
  - {name: mute, port: db-1, direction: out, priority: 50, match: {proto: tcp, sport: 5432}, action: drop, stateful: false}
  - {name: allow-web, port: db-2, direction: in, priority: 200, match: {proto: tcp, dport: 8080}, action: allow}
  - {name: closed, port: db-2, direction: in, priority: 1, match: {}, action: drop}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, host: h3, attach: {kind: netns}}
  - {name: db-1, network: db, ip: 10.20.2.11, host: h2, attach: {kind: netns}}
  - {name: db-2, network: db, ip: 10.20.2.12, host: h4, attach: {kind: netns}}
  - {name: lone-1, network: lone, ip: 10.20.3.11, host: h1, attach: {kind: netns}}
  - {name: crm-1, network: crm, ip: 10.30.1.11, host: h3, attach: {kind: netns}}
`

/** A port that is declared while its host's network module cannot put it in place. */
export const newPort = 'ports:\n  - {name: db-9, network: db, ip: 10.20.2.19, host: h2, attach: {kind: netns}}\n'
