import { checkAcls } from './check-acls.ts'
import { checkAddresses } from './check-addresses.ts'
import { checkHosts } from './check-hosts.ts'
import { checkRouting } from './check-routing.ts'
import { checkSourceMembers } from './check-source-members.ts'
import { checkVips } from './check-vips.ts'
import type { Draft } from './draft.ts'

/** Reports all that is wrong with a network. */
export function checkDraft(draft: Draft): void {
  checkAddresses(draft)
  checkHosts(draft)
  checkSourceMembers(draft)
  checkVips(draft)
  checkRouting(draft)
  checkAcls(draft)
}
