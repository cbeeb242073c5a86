import { inOrder, type Flow } from '../openflow/flow.ts'

/** Sorts flows in place, in the order of `inOrder`. Of those with the same table, priority and match it answers the first that was given. */
export function ordered(flows: Flow[]): Flow[] {
  return flows.sort(inOrder).filter((flow, index) => index === 0 || inOrder(flows[index - 1]!, flow) !== 0)
}
