import type { ReachabilityDoc } from '../../../core/contract/desktop/network.ts'
import type { Messages } from '../i18n/i18n.svelte.ts'

/** What a plan changes, in a sentence: `3 pairs lose TCP 5432, 1 pair gains TCP 5432`. Empty where it changes nothing. */
export function differenceText({ lost, gained }: Pick<NonNullable<ReachabilityDoc['plan']>, 'lost' | 'gained'>, what: string, m: Messages): string {
  return [lost > 0 && m.reach.lost(lost, what), gained > 0 && m.reach.gained(gained, what)].filter(Boolean).join(m.reach.joined)
}
