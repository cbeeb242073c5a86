import { parseEntity, type Entity, type Severity } from '../../core/model/index.ts'
import type { SearchHit } from '../../core/contract/desktop/inventory.ts'

/** What search knows of an object: what to show for it, and what it is found by. */
export interface Searchable {
  title: string
  detail: string
  /** Words beyond title and id, in any case. */
  words: (string | undefined)[]
}

/** An object as it is stored. Kinds of later versions pass through here too. */
export interface StoredObject {
  kind: string
  id: string
  atMs: number
  doc: Record<string, unknown>
}

/** Null: not searched, because it says nothing that another object does not say. */
export function searchable(object: StoredObject): Searchable | null {
  const entity = parseEntity(object)
  return entity ? describe(entity) : { title: object.id, detail: object.kind, words: [] }
}

function describe(entity: Entity): Searchable | null {
  switch (entity.kind) {
    case 'path':
      return null
    case 'cluster':
      return { title: entity.doc.name, detail: words('cluster', entity.doc.clusterIp), words: [entity.doc.clusterIp] }
    case 'member':
      return { title: entity.doc.host, detail: words('store member', entity.doc.memberId), words: [entity.doc.memberId, 'etcd'] }
    case 'host':
      return { title: entity.doc.name, detail: words(entity.doc.addresses.mgmt, entity.doc.role), words: addressesOf(entity.doc.addresses) }
    case 'facts': {
      const { os, cpu } = entity.doc
      return { title: entity.doc.host, detail: words(os.name, os.version, os.kernel), words: [os.name, os.version, os.kernel, cpu.model] }
    }
    case 'nic':
      return {
        title: `${entity.doc.host}/${entity.doc.name}`,
        detail: words(entity.doc.plane, ...entity.doc.addresses, entity.doc.mac),
        words: [entity.doc.plane, entity.doc.mac, ...entity.doc.addresses],
      }
    case 'disk':
      return {
        title: `${entity.doc.host}/${entity.doc.name}`,
        detail: words(entity.doc.model, entity.doc.serial, `${Math.round(entity.doc.sizeBytes / 1e9)} GB`),
        words: [entity.doc.model, entity.doc.serial],
      }
    case 'neighbour':
      return {
        title: entity.doc.systemName || entity.doc.chassisId,
        detail: words('port', entity.doc.portId, 'to', entity.id),
        words: [entity.doc.chassisId, entity.doc.portId, entity.doc.portDescription],
      }
    case 'module':
      return { title: `${entity.doc.host}/${entity.doc.name}`, detail: words('module', entity.doc.version), words: [entity.doc.version] }
    case 'event':
      return {
        title: entity.doc.message,
        detail: words(severityWord[entity.doc.severity], entity.doc.origin),
        words: [entity.doc.type, ...entity.doc.about],
      }
  }
}

const severityWord: Record<Severity, string> = { info: 'event', warning: 'warning', error: 'error' }

function addressesOf(addresses: Record<string, unknown>): string[] {
  return Object.values(addresses).filter((address) => typeof address === 'string')
}

function words(...parts: (string | undefined)[]): string {
  return parts.filter(Boolean).join(' ')
}

/** What a person should land on who chooses a hit: a neighbour is heard by a NIC, but means the switch. */
export function hitOf(object: StoredObject): SearchHit | null {
  const found = searchable(object)
  if (!found) return null
  const target = object.kind === 'neighbour' ? { kind: 'switch', id: found.title } : { kind: object.kind, id: object.id }
  return { ...target, title: found.title, detail: found.detail }
}

/** Text of the word index: each word whole, and its parts where it has any (`h2/eth0`, `a-b`), each once, in lower case. */
export function indexText(object: StoredObject, found: Searchable): string {
  const whole = [object.id, found.title, ...found.words].flatMap((text) => (text ? text.toLowerCase().split(/[\s,;()"']+/) : []))
  const all = new Set(whole)
  for (const word of whole) for (const part of word.split(/[^\p{L}\p{N}.:]+/u)) if (part) all.add(part)
  all.delete('')
  return [...all].join(' ')
}
