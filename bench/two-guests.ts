import type { StreamEnd } from './packet-stream.ts'

/** Two light guests in one network, on a host each. */
export const twoGuests = `networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1}
routers:
  - {name: shop, vpc: shop, networks: [web]}
acls:
  - {name: no-ssh, network: web, direction: in, priority: 100, match: {proto: tcp, dport: 22}, action: drop}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, host: h2, attach: {kind: netns}}
`

/** From the first to the second, whose address is `address`. */
export const between: { from: StreamEnd; to: StreamEnd; address: string } = {
  from: { guest: 'web-1', host: 'h1' },
  to: { guest: 'web-2', host: 'h2' },
  address: '10.20.1.12',
}
