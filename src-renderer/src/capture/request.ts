import { captureLimits, type CapturePlace, type CaptureRequest } from '../../../core/model/capture.ts'
import type { Messages } from '../i18n/i18n.svelte.ts'

export type CaptureInput = Required<Omit<CaptureRequest, 'id'>>

export interface CaptureForm {
  places: CapturePlace[]
  filter: string
  seconds: string
  maxMb: string
}

const bytesPerMb = 1_000_000
export const mostSeconds = captureLimits.ms / 1000
export const mostMb = captureLimits.bytes / bytesPerMb

/** What is wrong with what was typed, by field; nothing where all is well. */
export function problemsOf({ places, seconds, maxMb }: CaptureForm, m: Messages): Partial<Record<'places' | 'seconds' | 'maxMb', string>> {
  const outside = (text: string, most: number): boolean => !/^\d+$/.test(text.trim()) || Number(text) < 1 || Number(text) > most
  return {
    ...(places.length === 0 && { places: m.capture.needsPlace }),
    ...(outside(seconds, mostSeconds) && { seconds: m.trace.between(1, mostSeconds) }),
    ...(outside(maxMb, mostMb) && { maxMb: m.trace.between(1, mostMb) }),
  }
}

/** What the form asks for; only of one without problems. */
export function inputOf({ places, filter, seconds, maxMb }: CaptureForm): CaptureInput {
  return { places: [...places], filter: filter.trim(), ms: Number(seconds) * 1000, maxBytes: Number(maxMb) * bytesPerMb }
}
