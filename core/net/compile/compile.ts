import type { Flow } from '../openflow/flow.ts'
import { emitAcls } from './acl.ts'
import { emitAnswers } from './answer.ts'
import { emitClassify } from './classify.ts'
import type { Emit } from './emit.ts'
import { emitErrorAnswers } from './errors.ts'
import { emitForwarding } from './fdb.ts'
import { emitPortSecurity } from './port-security.ts'
import { emitNextHops, emitRouting } from './routing.ts'
import { ordered } from './ordered.ts'
import { tables } from './tables.ts'
import { emitVips } from './vips.ts'
import { viewOf, type HostView, type NetworkIndex } from './view.ts'

/**
 * The flows of one host's br-int, from the virtual network alone: same input, same bytes. Sorted by table, falling priority and match. Of two
 * flows with the same table, priority and match the one emitted first holds.
 */
export function compileHost(index: NetworkIndex, host: string): Flow[] {
  const view = viewOf(index, host)
  return ordered([...compileStanding(view), ...compileFloating(view)])
}

/** Those that stay as they are wherever floating addresses are. */
export function compileStanding(view: HostView): Flow[] {
  return emitted((emit) => {
    emitClassify(view, emit)
    emitErrorAnswers(view, emit)
    emitPortSecurity(view, emit)
    emitAcls(view, emit)
    emitAnswers(view, emit)
    emitRouting(view, emit)
    emitNextHops(view, emit)
    emitForwarding(view, emit)
  })
}

/** Those of floating addresses. None of the others has the same table, priority and match. */
export function compileFloating(view: HostView): Flow[] {
  return emitted((emit) => emitVips(view, emit))
}

function emitted(into: (emit: Emit) => void): Flow[] {
  const flows: Flow[] = []
  into((stage, priority, cookie, match, actions) => void flows.push({ table: tables[stage], priority, cookie, match, actions }))
  return ordered(flows)
}
