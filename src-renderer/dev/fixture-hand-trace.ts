/** TEST DOUBLE of the tracer. */
import type { VirtualNetwork } from '../../core/model/network.ts'
import type { TraceDrop, TraceHop, TraceRequest, TraceResult } from '../../core/model/trace.ts'
import { parseCidr, parseIp, cidrHasIp } from '../../core/net/address.ts'

export function handTrace(network: VirtualNetwork, request: TraceRequest, down: (host: string) => boolean): TraceResult {
  const hops: TraceHop[] = []
  let leg: TraceHop['leg'] = 'forward'
  const add = (hop: Partial<TraceHop> & Pick<TraceHop, 'host' | 'device' | 'action' | 'detail'>): void =>
    void hops.push({ n: hops.length + 1, leg, evidence: 'computed', kind: 'virtual', in: null, out: null, objects: [], cookies: [], ...hop })
  const drop = (d: TraceDrop): TraceResult => ({ verdict: 'dropped', mode: 'simulated', hops, drop: d, limit: null, rttMs: null })
  const from = network.ports.find(({ name }) => name === request.from)!
  const to = network.ports.find(({ name, ip, network: n }) => name === request.to || (ip === request.to && network.networks.find((x) => x.name === n)?.vpc === network.networks.find((x) => x.name === from.network)?.vpc))
  const src = `${request.proto} ${from.ip}${request.dport !== undefined ? ':40000' : ''} → ${to?.ip ?? request.to}${request.dport !== undefined ? `:${request.dport}` : ''}`
  const leave = (a: typeof from, b: typeof from, text: string): TraceResult | null => {
    add({ host: a.host, device: a.name, out: 'br-int', action: 'sent', detail: text, objects: [`port/${a.name}`] })
    const routed = a.network !== b.network
    const router = network.routers.find(({ networks }) => networks.includes(a.network))
    const words = routed ? `router ${router?.name}, routed into ${b.network}, next hop ${b.name}` : `next hop ${b.name}`
    const objects = [`port/${a.name}`, `network/${a.network}`, ...(routed && router ? [`router/${router.name}`, `network/${b.network}`] : []), `port/${b.name}`]
    const cookies = objects.map((o, i) => `0x${(0x2000000000000 + i * 7 + o.length).toString(16)}`)
    const acl = network.acls.find((x) => x.direction === 'in' && (x.network === b.network || x.port === b.name) && x.action === 'drop' && (x.match.proto === undefined || x.match.proto === request.proto) && (x.match.dport === undefined || x.match.dport === request.dport) && leg === 'forward' && !(x.name === 'db-closed' && (request.dport === 5432 || request.proto === 'icmp')))
    const same = a.host === b.host
    add({ host: a.host, device: 'br-int', in: a.name, out: same ? b.name : 'vxlan', action: same && acl ? 'dropped' : 'forwarded', detail: words, objects, cookies })
    if (!same) {
      const n = (h: string): number => Number(h.slice(1))
      const vni = network.networks.find((x) => x.name === b.network)!.vni
      add({ host: a.host, device: 'vxlan', in: 'br-int', out: 'tenant', action: 'encapsulated', detail: `VXLAN, VNI ${vni}, to ${b.host}` })
      add({ kind: 'physical', host: a.host, device: 'tenant', in: 'vxlan', out: `swp${n(a.host) + 24}`, action: 'sent', detail: '126 bytes' })
      add({ kind: 'physical', host: 'tor1', device: 'tor1', in: `swp${n(a.host) + 24}`, out: `swp${n(b.host) + 24}`, action: 'switched', detail: `in at swp${n(a.host) + 24}`, evidence: 'inferred' })
      if (down(b.host)) return drop({ host: b.host, device: 'tenant', reason: 'host-down', object: `host/${b.host}`, hint: `${b.host} does not answer. Check its power, or move its ports.` })
      add({ kind: 'physical', host: b.host, device: 'tenant', in: `swp${n(b.host) + 24}`, out: 'vxlan', action: 'received', detail: '126 bytes' })
      add({ host: b.host, device: 'vxlan', in: 'tenant', out: 'br-int', action: 'decapsulated', detail: `VNI ${vni}` })
      add({ host: b.host, device: 'br-int', in: 'vxlan', out: b.name, action: acl ? 'dropped' : 'forwarded', detail: acl ? `dropped by ACL ${acl.name}` : leg === 'forward' ? 'let through by ACL postgres' : '', objects: acl ? [`network/${b.network}`, `acl/${acl.name}`] : [`network/${b.network}`, `port/${b.name}`], cookies: ['0x1050a1b2c3d4e5f6'] })
    }
    if (acl) {
      return drop({ host: b.host, device: 'br-int', reason: 'acl', object: `acl/${acl.name}`, hint: `ACL ${acl.name} drops ${src}. If it should pass, allow it with a higher priority.`, remedy: `acls:\n  - {name: allow-past-${acl.name}, network: ${acl.network}, direction: in, priority: ${acl.priority + 1}, match: {src: ${from.ip}/32, dst: ${b.ip}/32, proto: ${request.proto}${request.dport !== undefined ? `, dport: ${request.dport}` : ''}}, action: allow}\n` } as TraceDrop)
    }
    add({ host: b.host, device: b.name, in: 'br-int', action: 'received', detail: text, objects: [`port/${b.name}`] })
    return null
  }
  if (!to) {
    add({ host: from.host, device: from.name, out: 'br-int', action: 'sent', detail: src, objects: [`port/${from.name}`] })
    const known = network.networks.some((n) => parseIp(request.to) && cidrHasIp(parseCidr(n.subnet)!, parseIp(request.to)!))
    const router = network.routers.find(({ networks }) => networks.includes(from.network))
    add({ host: from.host, device: 'br-int', in: from.name, action: 'dropped', detail: `router ${router?.name}`, objects: [`router/${router?.name}`] })
    return drop({ host: from.host, device: 'br-int', reason: known ? 'unknown-destination' : 'no-route', object: known ? null : `router/${router?.name}`, hint: `Router ${router?.name} has no route for it. Attach the network, add a static route, or peer the two VPCs.` })
  }
  const stopped = leave(from, to, src)
  if (stopped) return stopped
  if (request.proto === 'udp') return { verdict: 'delivered', mode: 'simulated', hops, drop: null, limit: null, rttMs: null }
  leg = 'return'
  return leave(to, from, `${request.proto} ${to.ip} → ${from.ip}`) ?? { verdict: 'delivered', mode: 'simulated', hops, drop: null, limit: null, rttMs: null }
}
