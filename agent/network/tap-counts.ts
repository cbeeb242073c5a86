/** What ended taps have counted, from what tcpdump(8) says at its end. */
export interface TapCounts {
  captured: number
  /** Null where tcpdump did not say. */
  lost: number | null
}

/** What tcpdump says of itself: packets that it has taken, that its filter let through in the kernel, and that had no room there. */
export interface TapStatistics {
  captured: number
  received: number
  dropped: number
}

/**
 * Reads what tcpdump has said last: when asked (SIGUSR1) it is a line, at its end three. Null: it has not said that yet.
 */
export function statisticsOf(words: string, said: 'asked' | 'ended'): TapStatistics | null {
  const then = said === 'asked' ? ', ' : '\n'
  const numbers = ['captured', 'received by filter', 'dropped by kernel'].map((what) => `(\\d+) packets? ${what}`).join(then)
  const [captured, received, dropped] = [...words.matchAll(new RegExp(numbers, 'g'))].at(-1)?.slice(1).map(Number) ?? []
  return captured === undefined ? null : { captured, received: received!, dropped: dropped! }
}

/**
 * Packets that wait in the kernel, and so are lost if tcpdump ends now: it counts them neither as captured nor as dropped. There may also be
 * some that came before it had its filter, which never change.
 */
export function waitingOf({ captured, received, dropped }: TapStatistics): number {
  return Math.max(0, received - captured - dropped)
}
