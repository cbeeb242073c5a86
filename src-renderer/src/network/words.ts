import type { Acl, AclMatch, Attachment, HealthCheck } from '../../../core/model/network.ts'
import type { Messages } from '../i18n/i18n.svelte.ts'
import type { TreeNode } from './tree.ts'

const portsText = (ports: number | [number, number]): string => (typeof ports === 'number' ? String(ports) : `${ports[0]}–${ports[1]}`)

/** What an ACL matches: `tcp to port 22 from 10.20.1.0/24`. */
export function matchText(match: AclMatch, m: Messages): string {
  const { proto, src, dst, sport, dport } = match
  const parts = [
    proto === undefined ? null : typeof proto === 'number' ? m.net.protocol(proto) : proto,
    dport === undefined ? null : m.net.toPort(portsText(dport)),
    sport === undefined ? null : m.net.fromPort(portsText(sport)),
    src === undefined ? null : m.net.from(src),
    dst === undefined ? null : m.net.to(dst),
  ].filter((part) => part !== null)
  return parts.length === 0 ? m.net.everything : parts.join(' ')
}

/** What an ACL does: `drops tcp to port 22`. */
export const aclText = ({ action, match }: Pick<Acl, 'action' | 'match'>, m: Messages): string => m.net.does[action](matchText(match, m))

/** What hangs on a port: `VM postgres-1`. */
export function attachmentText(attach: Attachment, m: Messages): string {
  switch (attach.kind) {
    case 'netns':
      return m.net.lightGuest
    case 'vm':
      return m.net.vm(attach.vm)
    case 'vlan':
      return m.net.vlan(attach.vlan, attach.nic)
    case 'remote':
      return m.net.remote
  }
}

/** How the members of a VIP are asked: `TCP 3306`. */
export function healthCheckText(check: HealthCheck, m: Messages): string {
  const { tcp, http, port = 80, command = [] } = check as { tcp?: number; http?: string; port?: number; command?: string[] }
  if (tcp !== undefined) return m.vip.check.tcp(tcp)
  return http === undefined ? m.vip.check.command(command.join(' ')) : m.vip.check.http(http, port)
}

/** What a node of the tree is found by, in lower case. */
export function searchText(node: TreeNode): string {
  const { doc, kind } = node
  const words: unknown[] = [kind, doc.name]
  switch (node.kind) {
    case 'network':
      words.push(node.doc.subnet, node.doc.subnet6, node.doc.gateway, node.doc.gateway6, `vni ${node.doc.vni}`, node.doc.tunnel)
      break
    case 'router':
      words.push(node.doc.mac, ...node.doc.routes.flatMap(({ to, via }) => [to, via]))
      break
    case 'peering':
      words.push(...node.doc.routers, ...node.doc.routes.map(({ to }) => to))
      break
    case 'acl':
      words.push(node.doc.action, node.doc.direction, ...Object.values(node.doc.match).flat())
      break
    case 'vip':
      words.push(node.doc.ip, ...node.doc.ports)
      break
    case 'port':
      words.push(node.doc.ip, node.doc.ip6, node.doc.mac, node.doc.host, ...Object.values(node.doc.attach))
  }
  return words
    .filter((word) => word !== undefined)
    .join(' ')
    .toLowerCase()
}
