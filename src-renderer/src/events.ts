import type { Event } from '../../core/model/event.ts'
import type { Messages } from './i18n/i18n.svelte.ts'
import type { Mark } from './ui/StateMark.svelte'

/** An event's sentence in the language shown; one that the catalogue cannot say keeps their reporter's English. */
export const eventText = (event: Event, m: Messages): string => m.eventType[event.type]?.(event) || event.message

const severityOrder = { error: 0, warning: 1, info: 2 }

/** Newest first; of the same moment the worse first. */
export const newestFirst = (a: Event, b: Event): number => b.atMs - a.atMs || severityOrder[a.severity] - severityOrder[b.severity]

/** How an event is marked: what was reported, not how things are now. */
export const severityMark = (event: Event): Mark => event.severity

/** Whether an event concerns an object, or anything of that host. */
export const concerns = (event: Event, ref: { kind: string; id: string }): boolean =>
  event.about.includes(`${ref.kind}/${ref.id}`) || (ref.kind === 'host' && event.about.some((about) => about.split('/').slice(1).includes(ref.id)))
