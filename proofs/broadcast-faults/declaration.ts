/** Guests by host; those of network `lan` are there on demand. */
export const places = {
  'web-1': 'h1',
  'web-2': 'h2',
  'web-3': 'h3',
  'db-1': 'h3',
  'db-2': 'h1',
  'lan-1': 'h1',
  'lan-2': 'h2',
  'lan-3': 'h3',
} as const
export type Guest = keyof typeof places

const clients: readonly Guest[] = ['web-3', 'db-1', 'db-2']
export const floating = { vip: 'web-vip', address: '10.20.1.100', prefix: 24, clients }
export const floating6 = { vip: 'web-vip6', address: 'fd00:1::100', prefix: 64, clients }

const networks = { web: 1, db: 2, lan: 3 } as const

function port(name: Guest, last: number): string {
  const network = name.slice(0, name.indexOf('-')) as keyof typeof networks
  const at = networks[network]
  return `  - {name: ${name}, network: ${network}, ip: 10.20.${at}.${last}, ip6: "fd00:${at}::${last}", host: ${places[name]}, attach: {kind: netns}}`
}

export interface Declared {
  /** What carries the network of the floating addresses. */
  tunnel?: 'vxlan' | 'gre'
  /** Which guests network `lan` has. */
  lan?: readonly Guest[]
  acls?: readonly string[]
}

/** Two networks that are routed, floating addresses in the first of them, and a third network alone. */
export function clusterDeclaration({ tunnel = 'vxlan', lan = [], acls = [] }: Declared = {}): string {
  const network = (name: keyof typeof networks): string => {
    const at = networks[name]
    const gateways = `gateway: 10.20.${at}.1, subnet6: "fd00:${at}::/64", gateway6: "fd00:${at}::1"`
    return `  - {name: ${name}, vpc: shop, tunnel: ${name === 'web' ? tunnel : 'vxlan'}, subnet: 10.20.${at}.0/24, ${gateways}}`
  }
  return [
    'networks:',
    ...(['web', 'db', 'lan'] as const).map(network),
    'routers:',
    '  - {name: shop, vpc: shop, networks: [web, db]}',
    'ports:',
    port('web-1', 11),
    port('web-2', 12),
    port('web-3', 13),
    port('db-1', 11),
    port('db-2', 12),
    ...lan.map((name) => port(name, 10 + Number(name.at(-1)))),
    'vips:',
    `  - {name: ${floating.vip}, network: web, ip: ${floating.address}, ports: [web-1, web-2]}`,
    `  - {name: ${floating6.vip}, network: web, ip: "${floating6.address}", ports: [web-1, web-2]}`,
    ...(acls.length > 0 ? ['acls:', ...acls] : []),
  ].join('\n')
}
