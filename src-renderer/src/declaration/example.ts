/** A first declaration, to be changed: two networks, a router between them, a rule, and a port on each of two hosts. */
export function exampleDeclaration(hosts: readonly string[]): string {
  const [one = 'h1', two = one] = hosts
  return `networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1}
  - {name: db, vpc: shop, subnet: 10.20.2.0/24, gateway: 10.20.2.1}
routers:
  - {name: shop, vpc: shop, networks: [web, db]}
acls:
  - {name: no-ssh, network: db, direction: in, priority: 100, match: {proto: tcp, dport: 22}, action: drop}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, host: ${one}, attach: {kind: netns}}
  - {name: db-1, network: db, ip: 10.20.2.11, host: ${two}, attach: {kind: netns}}
`
}
