import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Disk } from '../../core/model/index.ts'
import { findProgram, outputOf } from './programs.ts'
import { parseSmart, type SmartReport } from './smart.ts'

/** A whole disk as the kernel lists it. */
export interface FoundDisk {
  /** Name of its node in `/dev`. */
  name: string
  /** `major:minor`. */
  number: string
  sizeBytes: number
  rotational?: boolean
  model?: string
  serial?: string
}

/** Nodes that are no disks: memory, files, and what is made of other disks. */
const notADisk = /^(ram|zram|loop|dm-|md|sr|fd|nbd|rbd|drbd)\d/

/**
 * The disks that this host can open: entries of `/sys/block` with a node directly in `/dev` whose name is that of a disk. The node's name
 * counts, not the kernel's, so that a virtual disk goes by what its host calls it.
 */
export function findDisks(sysBlock = '/sys/block', dev = '/dev'): FoundDisk[] {
  const nodes = new Map<string, string[]>()
  for (const name of readdirSync(dev)) {
    const status = statSync(join(dev, name), { throwIfNoEntry: false })
    if (!status?.isBlockDevice() || notADisk.test(name)) continue
    const number = deviceNumber(status.rdev)
    nodes.set(number, [...(nodes.get(number) ?? []), name])
  }
  return readdirSync(sysBlock)
    .flatMap((kernelName): FoundDisk[] => {
      const attribute = (file: string): string => readText(join(sysBlock, kernelName, file))
      const number = attribute('dev')
      const names = nodes.get(number)
      const sizeBytes = Number(attribute('size')) * 512
      if (!names || !(sizeBytes > 0)) return []
      const name = names.includes(kernelName) ? kernelName : names.sort()[0]!
      const [model, serial, rotational] = [
        attribute('device/model'),
        attribute('device/serial') || attribute('serial'),
        attribute('queue/rotational'),
      ]
      return [{ name, number, sizeBytes, ...(rotational && { rotational: rotational === '1' }), ...(model && { model }), ...(serial && { serial }) }]
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Linux' encoding of a device number in `st_rdev` (makedev(3)), which fits 32 bits for every real device. */
export function deviceNumber(rdev: number): string {
  const major = (rdev >>> 8) & 0xfff
  const minor = (rdev & 0xff) | ((rdev >>> 12) & 0xfff00)
  return `${major}:${minor}`
}

/** What to report of a disk: what it says of itself goes before what the kernel says of it. */
export function diskDocument(host: string, { number: _, ...found }: FoundDisk, smart: SmartReport | undefined): Disk {
  return { host, ...found, health: 'unknown', ...smart }
}

/** Asks every disk for its health, one after the other; a disk that cannot tell is `unknown`. Empty when smartctl is not installed. */
export async function askSmart(disks: readonly FoundDisk[]): Promise<Map<string, SmartReport>> {
  const reports = new Map<string, SmartReport>()
  if (findProgram('smartctl') === null) return reports
  for (const { name } of disks) reports.set(name, parseSmart((await outputOf(['smartctl', '-j', '-H', '-i', `/dev/${name}`], 30_000)) ?? ''))
  return reports
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}
