import type { Messages } from '../i18n/i18n.svelte.ts'
import { objectText } from '../trace/words.ts'
import type { Reach, ReachClass } from './table.ts'

/** What stops a pair, in a word or two: `ACL no-ssh`, `no route`. */
export const reasonText = ({ reason, object }: Reach, m: Messages): string =>
  reason === null ? m.reach.reached : reason === 'acl' && object !== null ? objectText(object, m) : m.reach.reason[reason]

/** The ports of a class: all names of a few, the first of many and how many more. */
export const membersText = ({ members }: Pick<ReachClass, 'members'>, m: Messages): string =>
  members.length <= 2 ? members.join(', ') : m.reach.firstAndMore(members[0]!, members.length - 1)
