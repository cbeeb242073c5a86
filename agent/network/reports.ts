import type { Put } from '../../core/sync/object-log.ts'
import type { ObjectLog } from '../../core/sync/object-log.ts'
import type { EntityKind } from '../../core/model/entity.ts'
import type { VirtualNetwork } from '../../core/model/network.ts'

/** Kinds of the virtual network's documents, and where the network has them. */
const lists = {
  vpc: 'vpcs',
  network: 'networks',
  router: 'routers',
  peering: 'peerings',
  acl: 'acls',
  port: 'ports',
  networkHost: 'hosts',
  vip: 'vips',
} as const

/** How long the documents of a former reporter stay: until its successor's are surely there. */
export const handoverMs = 3000

/** Reports the virtual network, one document an object; only the host that leads the cluster does, so that a laptop gets them once. */
export function reportNetwork(log: ObjectLog, network: VirtualNetwork, revision: number): void {
  for (const [kind, list] of Object.entries(lists) as [keyof typeof lists, (typeof lists)[keyof typeof lists]][]) {
    const documents = network[list]
    const names = new Set(documents.map((document) => document.name))
    for (const { id } of log.list(kind)) if (!names.has(id)) log.del(kind, id)
    for (const doc of documents) log.put({ kind, id: doc.name, doc } as Put)
  }
  log.put({ kind: 'overlay', id: 'overlay', doc: { revision, last: network.last } })
}

/** Takes them all back. */
export function withdrawNetwork(log: ObjectLog): void {
  for (const kind of ['overlay', ...Object.keys(lists)] as EntityKind[]) for (const { id } of [...log.list(kind)]) log.del(kind, id)
}
