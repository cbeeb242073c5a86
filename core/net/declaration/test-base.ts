import { HoldfastError } from '../../errors.ts'
import { emptyVirtualNetwork, type VirtualNetwork } from '../../model/network.ts'
import { parseDeclaration } from './parse.ts'
import { planNetwork } from './plan.ts'
import type { Problem } from './problems.ts'

/** For tests of what is refused: a network that is right, and how to add to it. Its hosts are h1 and h2. */

export function plan(text: string, current: VirtualNetwork = emptyVirtualNetwork, prune = false): VirtualNetwork {
  return planNetwork(current, parseDeclaration(text), { hosts: ['h1', 'h2'], prune }).next
}

/** What is wrong with a document; nothing where it is right. Anything but a refusal is thrown on. */
export function problemsOf(text: string, current?: VirtualNetwork, prune?: boolean): Problem[] {
  try {
    plan(text, current, prune)
  } catch (thrown) {
    if (thrown instanceof HoldfastError && thrown.code === 'bad-input') return thrown.data.problems as Problem[]
    throw thrown
  }
  return []
}

/** What every case is added to: two VPCs with the same addresses, and a third beside them. Right by itself. */
export const base = {
  networks: [
    "{name: web, vpc: shop, vni: 7, subnet: 10.20.1.0/24, gateway: 10.20.1.1, subnet6: 'fd00:1::/64', gateway6: 'fd00:1::1'}",
    '{name: db, vpc: shop, subnet: 10.20.2.0/24, gateway: 10.20.2.1}',
    '{name: lone, vpc: shop, subnet: 10.20.3.0/24}',
    '{name: twin, vpc: copy, subnet: 10.20.1.0/24, gateway: 10.20.1.1}',
    '{name: mail, vpc: post, subnet: 10.30.1.0/24, gateway: 10.30.1.1}',
    '{name: free, vpc: post, subnet: 10.30.2.0/24, gateway: 10.30.2.1}',
  ],
  routers: [
    '{name: r-shop, vpc: shop, networks: [web, db], routes: [{to: 10.99.0.0/24, via: 10.20.1.12}, {to: 10.97.0.0/24, via: 10.20.1.11}]}',
    '{name: r-post, vpc: post, networks: [mail]}',
    '{name: r-copy, vpc: copy, networks: [twin]}',
  ],
  peerings: ['{name: shop-post, routers: [r-shop, r-post], routes: [{on: r-shop, to: 10.30.1.0/24}, {on: r-post, to: 10.20.2.0/24}]}'],
  acls: ['{name: no-ssh, network: db, direction: in, priority: 100, match: {proto: tcp, dport: 22}, action: drop}'],
  ports: [
    "{name: web-1, network: web, mac: '0e:00:00:00:00:01', ip: 10.20.1.11, ip6: 'fd00:1::11', host: h1, attach: {kind: netns}}",
    '{name: web-2, network: web, ip: 10.20.1.12, allow: [10.99.0.0/24], host: h2, attach: {kind: vlan, nic: eth1, vlan: 7}}',
    '{name: db-1, network: db, ip: 10.20.2.11, host: h2, attach: {kind: vm, vm: db-1}}',
    '{name: twin-1, network: twin, ip: 10.20.1.11, host: h1, attach: {kind: netns}}',
  ],
  hosts: ['{name: h2, roles: [gateway]}', "{name: legacy-1, tunnelEnd: {ip: 10.83.5.50, mac: '02:00:00:00:00:50'}}"],
  vips: ['{name: web-vip, network: web, ip: 10.20.1.100, ports: [web-1, web-2], priorities: {web-1: 100}}'],
}

/** The base with objects added, and the line that the first of them is on. */
export function withAdded(kind: keyof typeof base, ...added: string[]): { text: string; line: number } {
  const lines: string[] = []
  let line = 0
  for (const [each, objects] of Object.entries(base)) {
    lines.push(`${each}:`, ...objects.map((object) => `  - ${object}`))
    if (each !== kind) continue
    line = lines.length + 1
    lines.push(...added.map((object) => `  - ${object}`))
  }
  return { text: lines.join('\n'), line }
}
