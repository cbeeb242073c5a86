import type { NetworkView } from '../network/view.ts'
import type { Ref } from '../state/place.ts'
import { isDeclaredKind, itemOf, withItem, withoutItem, type DeclaredKind } from './yaml-edit.ts'

type Object = { kind: DeclaredKind; name: string }

/** What cannot be without an object, the object itself included. */
function dependents(view: NetworkView, { kind, name }: Object): Object[] {
  const of = (kind: DeclaredKind, docs: readonly { name: string }[]): Object[] => docs.flatMap((doc) => dependents(view, { kind, name: doc.name }))
  const self = { kind, name }
  switch (kind) {
    case 'vpc':
      return [self, ...of('router', view.routersOf(name)), ...of('network', view.networksOf(name))]
    case 'router':
      return [self, ...of('peering', view.peeringsOf(name))]
    case 'network':
      return [self, ...of('acl', view.aclsOf({ network: name })), ...of('vip', view.vipsOf(name)), ...of('port', view.portsOf(name))]
    case 'port':
      return [
        self,
        ...of('acl', view.aclsOf({ port: name })),
        ...of(
          'vip',
          view.vipsFor(name).filter(({ ports }) => ports.length === 1),
        ),
      ]
    case 'host':
      return [
        self,
        ...of(
          'port',
          view.portsOn(name).filter(({ attach }) => attach.kind === 'remote'),
        ),
      ]
    default:
      return [self]
  }
}

/** A declaration of the whole network without an object and what cannot be without it: its ports, their rules, and the mentions of it by a router or a VIP. */
export function withoutObject(text: string, view: NetworkView, ref: Ref): string {
  if (!isDeclaredKind(ref.kind)) return text
  const gone = dependents(view, { kind: ref.kind, name: ref.id })
  let left = gone.reduce((rest, { kind, name }) => withoutItem(rest, kind, name) ?? rest, text)
  for (const { kind, name } of gone) {
    const router = kind === 'network' ? view.routerOf(name)?.name : undefined
    const item = router === undefined ? null : itemOf(left, 'router', router)
    if (item) left = withItem(left, 'router', { ...item, networks: (item.networks as string[]).filter((other) => other !== name) }) ?? left
    for (const vip of kind === 'port' ? view.vipsFor(name) : []) left = withoutMember(left, vip.name, name)
  }
  return left
}

/** A declaration in which a port may no longer have a VIP. */
function withoutMember(text: string, vip: string, port: string): string {
  const item = itemOf(text, 'vip', vip)
  if (!item) return text
  const { [port]: _gone, ...priorities } = (item.priorities ?? {}) as Record<string, number>
  const ports = (item.ports as string[]).filter((other) => other !== port)
  return withItem(text, 'vip', { ...item, ports, ...(item.priorities !== undefined && { priorities }) }) ?? text
}
