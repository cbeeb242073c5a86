import { hash48, parseCookie, type FlowOwner, type OwnerKind } from '../../../core/net/compile/cookie.ts'
import type { NetworkView } from './view.ts'

type Named = Pick<NetworkView, 'vpcs' | 'networks' | 'routers' | 'peerings' | 'acls' | 'ports' | 'vips'>

/** The object that a flow was made from, by its cookie; null for a flow that nothing in this network was made into. */
export function flowOwnerOf(cookie: string, view: Named): FlowOwner | null {
  const parsed = parseCookie(cookie)
  if (!parsed) return null
  const named = parsed.kind === 'pipeline' ? [{ name: '' }] : namesOf(parsed.kind, view)
  const found = named.find(({ name }) => hash48(name) === parsed.hash)
  return found ? { kind: parsed.kind, name: found.name } : null
}

function namesOf(kind: Exclude<OwnerKind, 'pipeline'>, view: Named): readonly { name: string }[] {
  return view[`${kind}s`]
}
