import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Status } from '../core/contract/desktop/inventory.ts'
import { labDescription, labDown, type LabDescription } from '../lab/lab.ts'
import { labUpFull } from '../src-main/deploy/lab.ts'
import { createServices } from '../src-main/main.ts'
import type { Services } from '../src-main/services.ts'

/** A cluster on hosts of its own, with a laptop that watches it. */
export interface LabCluster {
  lab: LabDescription
  services: Services
  status(): Promise<Status>
  /** Returns when every host is up, hears all others on all planes, and there is a leader; throws after a minute. */
  settled(): Promise<Status>
}

/** Brings one up, hands it to `use`, and removes every trace of it. */
export async function withLabCluster<T>(name: string, log: (line: string) => void, use: (cluster: LabCluster) => Promise<T>, hosts = 3): Promise<T> {
  const home = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
  try {
    await using services = await createServices({ home })
    log(`Bringing up a cluster of ${hosts} hosts (lab ${name})`)
    await labUpFull(services, { name, hosts, onStep: () => undefined })
    const lab = await labDescription({ name })
    const status = () => services.status(lab.clusterName)
    return await use({ lab, services, status, settled: () => settled(status, hosts) })
  } finally {
    await labDown({ name })
    await rm(home, { recursive: true, force: true })
  }
}

async function settled(status: () => Promise<Status>, hosts: number): Promise<Status> {
  for (const deadline = Date.now() + 60_000; ; await sleep(200)) {
    const now = await status()
    const well = now.hosts.every(
      (host) => host.state === 'up' && Object.values(host.planes).every((peers) => Object.values(peers ?? {}).every((state) => state === 'up')),
    )
    if (well && now.cluster.leader !== null && now.cluster.quorum && now.hosts.length === hosts) return now
    if (Date.now() > deadline) throw new Error(`The cluster did not settle: ${JSON.stringify(now)}`)
  }
}
