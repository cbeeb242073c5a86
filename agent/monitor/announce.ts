import type { Disk, Neighbour, Nic, Severity } from '../../core/model/index.ts'
import type { Announced } from './state.ts'

export interface EventDraft {
  type: 'nic-down' | 'nic-up' | 'neighbour-changed' | 'disk-failing'
  severity: Severity
  message: string
  about: string[]
  data: Record<string, unknown>
}

/** What there is to tell of what was found. A neighbour that is lost, a NIC or a disk that does not tell, are not known: nothing is told. */
export function announcedOf(nics: readonly Nic[], neighbours: readonly Neighbour[], disks: readonly Disk[]): Announced {
  return Object.fromEntries([
    ...nics.filter((nic) => nic.state !== 'unknown').map((nic) => [`nic/${nic.host}/${nic.name}`, nic.state]),
    ...neighbours
      .filter((found) => found.lostAtMs === undefined)
      .map((found) => [`neighbour/${found.host}/${found.nic}`, `${found.systemName || found.chassisId} port ${found.portId}`]),
    ...disks.filter((disk) => disk.health !== 'unknown').map((disk) => [`disk/${disk.host}/${disk.name}`, disk.health]),
  ])
}

/** What happened between what was told last and now. What is seen for the first time is told only when it ails: a failing disk. */
export function eventsBetween(before: Announced, now: Announced): EventDraft[] {
  return Object.entries(now).flatMap(([key, value]) => {
    const was = Object.hasOwn(before, key) ? before[key] : undefined
    const draft = was === value ? null : describe(key, was, value)
    return draft ? [draft] : []
  })
}

/** What has been told by now: what is known now, and the last word on what is not known any more. */
export function mergeAnnounced(before: Announced, now: Announced, exists: (key: string) => boolean): Announced {
  return { ...Object.fromEntries(Object.entries(before).filter(([key]) => exists(key))), ...now }
}

function describe(key: string, was: string | undefined, value: string): EventDraft | null {
  const [kind, host, ...rest] = key.split('/')
  const name = rest.join('/')
  const about = [key, `host/${host}`]
  if (kind === 'disk') {
    if (value !== 'failing') return null
    return { type: 'disk-failing', severity: 'error', message: `Disk ${name} of ${host} fails its SMART check`, about, data: {} }
  }
  if (was === undefined) return null
  if (kind === 'nic') {
    return value === 'down'
      ? { type: 'nic-down', severity: 'warning', message: `NIC ${name} of ${host} has no carrier`, about, data: {} }
      : { type: 'nic-up', severity: 'info', message: `NIC ${name} of ${host} has its carrier again`, about, data: {} }
  }
  return {
    type: 'neighbour-changed',
    severity: 'warning',
    message: `NIC ${name} of ${host} is now cabled to ${value}, before to ${was}`,
    about: [`nic/${host}/${name}`, `host/${host}`],
    data: { before: was, now: value },
  }
}
