import { existsSync, readFileSync } from 'node:fs'
import { BlockList, isIP } from 'node:net'
import { HoldfastError } from '../../core/errors.ts'
import type { Neighbour } from '../../core/model/hardware.ts'
import type { SwitchQuestion, SwitchReading } from '../../core/model/switch-reading.ts'
import { parseNeighbours } from '../monitor/lldp.ts'
import type { AgentConfig, AgentPaths } from '../runtime/config.ts'
import { runProgram } from '../runtime/programs.ts'
import { readBridge } from './snmp-bridge.ts'
import { SnmpSession } from './snmp-session.ts'

/** How long a switch, and lldpd, may take. */
const totalMs = 1000

/** What switches are read with where nothing else is said. */
const defaultCommunity = 'public'

/** Not the addresses of any other machine: this one's own, links' and groups'. */
const notOthers = new BlockList()
for (const [address, prefix] of [['0.0.0.0', 8], ['127.0.0.0', 8], ['169.254.0.0', 16], ['224.0.0.0', 3]] as const) notOthers.addSubnet(address, prefix) // prettier-ignore
for (const [address, prefix] of [
  ['::', 127],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  notOthers.addSubnet(address, prefix, 'ipv6')

/**
 * Asks a switch by SNMP, from this host's address on mgmt. `switch`: its LLDP system name, or chassis id. It is asked where it says itself
 * by LLDP that it is managed, and at no other address. Throws `not-found` for one that this host does not hear, `timeout` for one that
 * does not answer.
 */
export async function askSwitch(
  { host, addresses }: AgentConfig,
  paths: AgentPaths,
  { switch: name, ...question }: SwitchQuestion & { switch: string },
): Promise<SwitchReading> {
  const heard = parseNeighbours(await runProgram(['lldpcli', '-f', 'json0', 'show', 'neighbors'], { timeoutMs: totalMs }), host) ?? []
  const address = managementAddress(heard, name)
  if (address === null) {
    throw new HoldfastError(
      'not-found',
      `${host} hears no switch ${name} by LLDP that says where it is managed`,
      'Have it send LLDP with its management address.',
      { switch: name },
    )
  }
  const source = address.includes(':') ? {} : { sourceAddress: addresses.mgmt }
  using session = new SnmpSession({ address, ...source, community: readCommunity(paths), totalMs })
  return await readBridge(session, question)
}

/** Where a switch says that it is managed, IPv4 before IPv6; null: no NIC hears it say so. */
export function managementAddress(heard: readonly Neighbour[], name: string): string | null {
  const all = heard.filter((one) => (one.systemName || one.chassisId) === name).flatMap((one) => one.managementAddresses ?? [])
  const usable = all.filter((address) => isIP(address) > 0 && !notOthers.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6'))
  return usable.find((address) => isIP(address) === 4) ?? usable[0] ?? null
}

/** What switches are read with: the first line of the host's own file, else `public`. */
function readCommunity({ snmpCommunity }: AgentPaths): string {
  const own = existsSync(snmpCommunity) ? readFileSync(snmpCommunity, 'utf8').split('\n')[0]!.trim() : ''
  return own || defaultCommunity
}
