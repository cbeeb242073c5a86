import type { Messages } from './i18n/i18n.svelte.ts'

const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
const decimal = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

/** Three significant digits at most, and a no-break space before the unit. */
function scaled(value: number, base: number, units: string[]): string {
  let unit = 0
  while (value >= base && unit < units.length - 1) {
    value /= base
    unit++
  }
  return `${trim(value, unit === 0 ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0)}\u00a0${units[unit]}`
}

const trim = (value: number, digits: number): string => (digits === 0 ? value.toFixed(0) : value.toFixed(digits).replace(/\.?0+$/, ''))

/** Memory, as kernels count it: `23.5 GiB`. */
export const memory = (bytes: number): string => scaled(bytes, 1024, binary)

/** Capacity of a disk, as makers count it: `3.84 TB`. */
export const capacity = (bytes: number): string => scaled(bytes, 1000, decimal)

/** Throughput: `12.4 MB/s`. */
export const rate = (bytesPerS: number): string => `${scaled(bytesPerS, 1000, decimal)}/s`

/** Speed of a link: `25 Gb/s`. */
export const linkSpeed = (mbps: number): string => (mbps >= 1000 ? `${trim(mbps / 1000, 1)}\u00a0Gb/s` : `${mbps}\u00a0Mb/s`)

/** A share of one: `24 %`. */
export const percent = (share: number): string => `${Math.round(share * 100)}\u00a0%`

/** A length of time in its largest unit that is at least one: `2 s`, `3 min`, `26 h`, `4 d`. */
export function duration(ms: number, units: Messages['units']): string {
  const s = Math.max(0, Math.round(ms / 1000))
  if (s < 100) return units.seconds(s)
  if (s < 100 * 60) return units.minutes(Math.round(s / 60))
  if (s < 48 * 3600) return units.hours(Math.round(s / 3600))
  return units.days(Math.round(s / 86_400))
}

/** Time of day with seconds, and the date in front when it is not today. */
export function moment(atMs: number, nowMs: number, locale: string): string {
  const at = new Date(atMs)
  const time = at.toLocaleTimeString(locale, { hour12: false })
  return at.toDateString() === new Date(nowMs).toDateString() ? time : `${at.toLocaleDateString(locale, { month: 'short', day: 'numeric' })} ${time}`
}

const natural = new Intl.Collator('en', { numeric: true })

/** `h2` before `h10`. */
export const byName = (a: string, b: string): number => natural.compare(a, b)
