import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { labNames, labsDir } from './state.ts'

/*
 * What a virtual link carries waits at its far end in a queue of the core, of net.core.netdev_max_backlog packets (1,000 by default); what
 * comes when it is full is lost. One broadcast of a large network is thousands of copies at once. Network namespaces have none of their
 * own (Linux 6.18), so the machine's is raised while there is a lab.
 */
const path = '/proc/sys/net/core/netdev_max_backlog'
const wantedPackets = 16_384

/** Keeps what the machine had while labs are up. Not the name of a lab: those have no underscore. */
const keptPath = join(labsDir, 'netdev_max_backlog')

/** Raises the queue where it is shorter. To be called while no other lab begins or ends. */
export async function raiseBacklog(): Promise<void> {
  const had = (await readFile(path, 'utf8')).trim()
  if (Number(had) >= wantedPackets) return
  await writeFile(keptPath, had)
  await writeFile(path, String(wantedPackets))
}

/** With no lab left, gives the machine back what it had, unless somebody has changed it since. To be called while no other lab begins or ends. */
export async function restoreBacklog(): Promise<void> {
  if ((await labNames()).length > 0) return
  const had = await readFile(keptPath, 'utf8').catch(() => null)
  if (had === null) return
  if ((await readFile(path, 'utf8')).trim() === String(wantedPackets)) await writeFile(path, had)
  await rm(keptPath)
}
