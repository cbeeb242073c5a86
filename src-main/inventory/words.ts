import type { SearchHit } from '../../core/contract/desktop/inventory.ts'

/** What search knows of an object: what to show for it, and what it is found by. */
export interface Searchable {
  title: string
  detail: string
  /** Words beyond title and id, in any case. */
  words: unknown[]
}

/** An object as it is stored. Kinds of later versions pass through here too. */
export type StoredObject = {
  kind: string
  id: string
  atMs: number
  doc: Record<string, unknown>
}

type Doc = Record<string, unknown>

/** What each kind is shown and found by; null: not searched, because it says nothing that another object does not say. */
const kinds: Record<string, ((id: string, doc: Doc) => Searchable | null) | null> = {
  path: null,
  overlay: null,
  forwarding: null,
  vpc: (id) => ({ title: id, detail: 'VPC', words: [] }),
  network: (id, doc) => ({
    title: id,
    detail: line('network of', doc.vpc, doc.subnet, doc.subnet6),
    words: [doc.vpc, doc.subnet, doc.gateway, doc.subnet6, doc.gateway6, `vni-${String(doc.vni)}`],
  }),
  router: (id, doc) => ({ title: id, detail: line('router of', doc.vpc), words: [doc.vpc, doc.mac] }),
  peering: (id, doc) => ({ title: id, detail: line('peering', ...valuesOf(doc.routers)), words: valuesOf(doc.routers) }),
  acl: (id, doc) => ({ title: id, detail: line('ACL', doc.action, 'on', doc.network, doc.port), words: [doc.network, doc.port, doc.action] }),
  port: (id, doc) => ({ title: id, detail: line(doc.ip, doc.ip6, doc.network, 'on', doc.host), words: [doc.ip, doc.ip6, doc.mac, doc.network] }),
  vip: (id, doc) => ({ title: id, detail: line('VIP', doc.ip, 'of', doc.network), words: [doc.ip, doc.network, ...valuesOf(doc.ports)] }),
  vipState: null,
  broadcastNode: null,
  broadcastHost: null,
  networkHost: (id, doc) =>
    at(doc.tunnelEnd, 'ip') ? { title: id, detail: line('host without an agent', at(doc.tunnelEnd, 'ip')), words: [at(doc.tunnelEnd, 'ip')] } : null,
  cluster: (id, doc) => ({ title: text(doc.name) || id, detail: line('cluster', doc.clusterIp), words: [doc.clusterIp] }),
  member: (id, doc) => ({ title: id, detail: line('store member', doc.memberId), words: [doc.memberId, 'etcd'] }),
  host: (id, doc) => ({ title: id, detail: line(at(doc.addresses, 'mgmt'), doc.role), words: valuesOf(doc.addresses) }),
  facts: (id, doc) => {
    const system = [at(doc.os, 'name'), at(doc.os, 'version'), at(doc.os, 'kernel')]
    return { title: id, detail: line(...system), words: [...system, at(doc.cpu, 'model')] }
  },
  nic: (id, doc) => ({
    title: id,
    detail: line(doc.plane, ...valuesOf(doc.addresses), doc.mac),
    words: [doc.plane, doc.mac, ...valuesOf(doc.addresses)],
  }),
  disk: (id, doc) => ({ title: id, detail: line(doc.model, doc.serial, gigabytes(doc.sizeBytes)), words: [doc.model, doc.serial] }),
  neighbour: (id, doc) => ({
    title: text(doc.systemName) || text(doc.chassisId) || id,
    detail: line('port', doc.portId, 'to', id),
    words: [doc.chassisId, doc.portId, doc.portDescription],
  }),
  module: (id, doc) => ({ title: id, detail: line('module', doc.version), words: [doc.version] }),
  event: (id, doc) => ({ title: text(doc.message) || id, detail: line(doc.severity, doc.origin), words: [doc.type, ...valuesOf(doc.about)] }),
}

/** Documents are read with care, not validated: those of a later version differ, and the schemas would cost a worker half its start. */
export function searchable({ kind, id, doc }: StoredObject): Searchable | null {
  const describe = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined
  if (describe === null) return null
  return describe ? describe(id, doc) : { title: id, detail: kind, words: [] }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const at = (value: unknown, field: string): unknown => (value as Doc | null | undefined)?.[field]
const valuesOf = (value: unknown): unknown[] => (typeof value === 'object' && value !== null ? Object.values(value) : [])
const line = (...parts: unknown[]): string => parts.map(text).filter(Boolean).join(' ')
const gigabytes = (bytes: unknown): string => (typeof bytes === 'number' ? `${Math.round(bytes / 1e9)} GB` : '')

/** What a person should land on who chooses a hit: a neighbour is heard by a NIC, but means the switch. */
export function hitOf(object: StoredObject): SearchHit | null {
  const found = searchable(object)
  if (!found) return null
  const target = object.kind === 'neighbour' ? { kind: 'switch', id: found.title } : { kind: object.kind, id: object.id }
  return { ...target, title: found.title, detail: found.detail }
}

/** What an object is found by: its id, title and words, each once, in lower case. */
export function textOf(object: StoredObject, found: Searchable): string {
  const all = [object.id, found.title, ...found.words].flatMap((part) =>
    text(part)
      .toLowerCase()
      .split(/[\s,;()"']+/),
  )
  return [...new Set(all)].filter(Boolean).join(' ')
}
