import type { Change } from '../declaration/effects.ts'
import type { DeclaredItem, DeclaredKind } from '../declaration/yaml-edit.ts'
import { isDeclaredKind } from '../declaration/yaml-edit.ts'
import type { NetworkView } from '../network/view.ts'
import { probesOf, probeText, type Probe } from './probe.ts'

export interface ReachQuestion {
  vpc: string
  probe: Probe
}

/** At most this many are asked of a plan. */
const most = 4

/**
 * What is worth asking of a plan: in each VPC that it touches, what the rules that it changes tell apart, else whether a ping passes.
 * `itemOf`: an object as the plan's text has it.
 */
export function questionsOf(
  changes: readonly Change[],
  view: Pick<NetworkView, 'networksOf' | 'portsOf' | 'network' | 'router' | 'peerings' | 'acl' | 'port' | 'vip' | 'vpcs'>,
  itemOf: (kind: DeclaredKind, name: string) => DeclaredItem | null,
): ReachQuestion[] {
  const vpcsOf = (kind: DeclaredKind, name: string): string[] => {
    const item = itemOf(kind, name)
    const text = (key: string): string => (typeof item?.[key] === 'string' ? item[key] : '')
    const ofNetwork = (network: string): string[] => [view.network.get(network)?.vpc ?? String(itemOf('network', network)?.vpc ?? '')]
    const ofPort = (port: string): string[] => ofNetwork(view.port.get(port)?.network ?? String(itemOf('port', port)?.network ?? ''))
    switch (kind) {
      case 'vpc':
        return [name]
      case 'network':
        return ofNetwork(name)
      case 'port':
        return ofPort(name)
      case 'vip':
        return ofNetwork(view.vip.get(name)?.network ?? text('network'))
      // Its roles change the way of packets, not where they get to.
      case 'host':
        return []
      case 'router':
        return [view.router.get(name)?.vpc ?? text('vpc')]
      case 'peering':
        return (view.peerings.find((peering) => peering.name === name)?.routers ?? []).flatMap((router) => view.router.get(router)?.vpc ?? [])
      case 'acl': {
        const acl = view.acl.get(name)
        const port = acl?.port ?? text('port')
        return port ? ofPort(port) : ofNetwork(acl?.network ?? text('network'))
      }
    }
  }
  const known = new Set(view.vpcs.map(({ name }) => name).filter((vpc) => view.networksOf(vpc).some(({ name }) => view.portsOf(name).length > 0)))
  const byVpc = new Map<string, Probe[]>()
  for (const { kind, name } of changes) {
    if (!isDeclaredKind(kind)) continue
    const item = itemOf(kind, name)
    const probes = kind === 'acl' ? probesOf([view.acl.get(name)?.match, item?.match as object | undefined]) : []
    for (const vpc of vpcsOf(kind, name)) if (known.has(vpc)) byVpc.set(vpc, [...(byVpc.get(vpc) ?? []), ...probes])
  }
  return [...byVpc]
    .flatMap(([vpc, probes]) => {
      const distinct = new Map((probes.length > 0 ? probes : [{ proto: 'icmp', dport: null } as const]).map((probe) => [probeText(probe), probe]))
      return [...distinct.values()].map((probe) => ({ vpc, probe }))
    })
    .slice(0, most)
}
