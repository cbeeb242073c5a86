import { runOvs } from './ovs-programs.ts'
import type { InstancePaths } from './switch-paths.ts'

/** What a port that watches, see `watchEnds`, has seen. */
export interface SeenWatch {
  /** OpenFlow port of br-int. */
  number: number
  up: boolean
  /** How often the other end fell silent since ovs-vswitchd was started. */
  flaps: number
}

/** Reads what all ports that watch have seen, at once. Throws as `runOvs` does. */
export async function readWatches(instance: InstancePaths): Promise<SeenWatch[]> {
  const listing = ['--format=json', '--columns=ofport_request,bfd_status', 'find', 'Interface', 'bfd:enable=true']
  return parseWatches(await runOvs('ovs-vsctl', [`--db=unix:${instance.databaseSocket}`, '--timeout=8', ...listing]))
}

/**
 * Reads columns of the table Interface, ovs-vswitchd.conf.db(5), as `ovs-vsctl --format=json` prints them. `flap_count` counts each change of
 * `forwarding`, the first of which is that the other end answers at all: each second one is a loss.
 */
export function parseWatches(text: string): SeenWatch[] {
  const { data, headings } = JSON.parse(text) as { data: unknown[][]; headings: string[] }
  return data.flatMap((row) => {
    const number = row[headings.indexOf('ofport_request')]
    const status = new Map((row[headings.indexOf('bfd_status')] as [string, [string, string][]])[1])
    if (typeof number !== 'number') return []
    return [{ number, up: status.get('forwarding') === 'true', flaps: Math.floor(Number(status.get('flap_count') ?? 0) / 2) }]
  })
}
