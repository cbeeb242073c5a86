import fc from 'fast-check'
import type { HostRole } from '../../model/network.ts'
import { pick, pickFrom, type MadeBy } from './arbitrary-acl.ts'
import { gatewaysAmong } from './gateways.ts'
import type { Declaration, DeclaredPort } from './schema.ts'

const roles = fc.constantFrom<HostRole[] | undefined>(undefined, [], ['broadcast'], ['gateway'], ['gateway', 'broadcast'])

/** What the hosts of a cluster, and up to two without an agent, are declared from. */
export function hostsRecipe(count: number) {
  return fc.record({ roles: fc.array(roles, { minLength: count, maxLength: count }), withoutAgent: fc.nat({ max: 2 }) })
}

export function addHosts(declaration: Declaration, members: readonly string[], recipe: MadeBy<ReturnType<typeof hostsRecipe>>): void {
  for (const [index, name] of members.entries()) {
    const roles = recipe.roles[index]
    if (roles) declaration.hosts.push({ name, ...(roles.length > 0 && { roles }) })
  }
  for (let index = 0; index < recipe.withoutAgent; index++) {
    declaration.hosts.push({ name: `legacy-${index}`, tunnelEnd: { ip: `10.83.5.${200 + index}`, mac: `02:83:00:00:0A:0${index}` } })
  }
}

/** What a port is placed by. */
export const placeRecipe = fc.record({
  host: pick,
  attach: fc.constantFrom('netns', 'netns', 'netns', 'vm', 'vlan', 'vlan', 'remote'),
  /** Of a port in a VLAN: whether its network's others are in the same one, and whether its gateway is declared. */
  shared: fc.constantFrom(true, true, true, false),
  said: fc.boolean(),
})

/** Where a port is and what hangs on it; a light guest where there is no host for anything else. */
export function placeOf(
  { hosts, networks }: Declaration,
  members: readonly string[],
  { host, attach, shared, said }: MadeBy<typeof placeRecipe>,
  { index, network }: { index: number; network: string },
): Pick<DeclaredPort, 'host' | 'attach'> {
  const member = { host: pickFrom(members, host)! }
  if (attach === 'vm') return { ...member, attach: { kind: 'vm', vm: `vm-${index}` } }
  const gateway = pickFrom(gatewaysAmong(hosts.map(({ name, roles = [] }) => ({ name, roles }))), host)
  if (attach === 'vlan' && gateway !== undefined) {
    const vlan = shared ? 100 + networks.findIndex(({ name }) => name === network) : 200 + index
    return { ...(said && !shared && { host: gateway }), attach: { kind: 'vlan', nic: 'eth1', vlan } }
  }
  const withoutAgent = pickFrom(
    hosts.filter(({ tunnelEnd }) => tunnelEnd),
    host,
  )
  if (attach === 'remote' && withoutAgent) return { host: withoutAgent.name, attach: { kind: 'remote' } }
  return { ...member, attach: { kind: 'netns' } }
}
