import { open, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { capture, run } from './run.ts'
import { labDir, machineDir } from './state.ts'

/** Names of a host's disks in its /dev. Each is a sparse file of 10 GiB in the host's directory, behind a loop device. */
export const diskNames = ['vdb', 'vdc'] as const

const diskBytes = 10 * 1024 ** 3

/** A loop device of the machine and the file behind it. */
export interface LoopDevice {
  /** As in /dev, e.g. `loop3`. */
  device: string
  backingFile: string
}

/** Loop devices whose backing file is `dir` or lies below it. The kernel marks a deleted file with a suffix, which is let through. */
export function loopsBelow(loops: readonly LoopDevice[], dir: string): LoopDevice[] {
  return loops.filter(({ backingFile }) => backingFile === dir || backingFile.startsWith(`${dir}/`))
}

async function allLoops(): Promise<LoopDevice[]> {
  const devices = (await readdir('/sys/block')).filter((name) => name.startsWith('loop'))
  const loops = await Promise.all(
    devices.map(async (device) => {
      const file = await readFile(`/sys/block/${device}/loop/backing_file`, 'utf8').catch(() => null)
      return file === null ? [] : [{ device, backingFile: file.trimEnd() }]
    }),
  )
  return loops.flat()
}

/** Makes a host's disks and attaches them. */
export async function attachDisks(lab: string, host: string): Promise<void> {
  for (const name of diskNames) {
    const path = join(machineDir(lab, host), `${name}.img`)
    const file = await open(path, 'w', 0o600)
    await file.truncate(diskBytes)
    await file.close()
    await run(['losetup', '--find', path])
  }
}

/** A host's attached disks with their device numbers as MAJOR:MINOR. */
export async function diskNumbers(lab: string, host: string): Promise<{ name: string; number: string }[]> {
  const loops = loopsBelow(await allLoops(), machineDir(lab, host))
  return Promise.all(
    loops.map(async ({ device, backingFile }) => ({
      name: backingFile.slice(machineDir(lab, host).length + 1).replace(/\.img$/, ''),
      number: (await readFile(`/sys/block/${device}/dev`, 'utf8')).trim(),
    })),
  )
}

/** Releases every loop device of a lab. */
export async function detachDisks(lab: string): Promise<void> {
  await Promise.all(loopsBelow(await allLoops(), labDir(lab)).map(({ device }) => capture(['losetup', '--detach', `/dev/${device}`])))
}
