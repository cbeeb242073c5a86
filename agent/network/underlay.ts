import { HoldfastError } from '../../core/errors.ts'
import type { AgentConfig } from '../runtime/config.ts'
import { runProgram } from '../runtime/programs.ts'

/** The NIC that carries tunnels, and the address that they end at: of the tenant plane, or of mgmt where there is no other. */
export interface Underlay {
  nic: string
  nicIndex: number
  ip: string
  prefixLength: number
  mac: string
  mtuBytes: number
}

interface Link {
  ifindex?: number
  address?: string
  mtu?: number
  addr_info?: { local?: string; prefixlen?: number }[]
}

/** The NIC and the address that are to carry tunnels. */
export function underlayOf({ nics, addresses }: AgentConfig): Pick<Underlay, 'nic' | 'ip'> {
  const { tenant: nic } = nics
  return nic !== undefined && addresses.tenant !== undefined ? { nic, ip: addresses.tenant } : { nic: nics.mgmt, ip: addresses.mgmt }
}

/** Throws `not-found` when the NIC is gone or has lost the address. */
export async function findUnderlay(config: AgentConfig): Promise<Underlay> {
  const { nic, ip } = underlayOf(config)
  const { host } = config
  const [link] = JSON.parse((await runProgram(['ip', '-json', 'address', 'show', 'dev', nic]).catch(() => '[]')) || '[]') as Link[]
  const found = link?.addr_info?.find(({ local }) => local === ip)
  if (link?.ifindex !== undefined && link.address !== undefined && link.mtu !== undefined && found?.prefixlen !== undefined) {
    return { nic, nicIndex: link.ifindex, ip, prefixLength: found.prefixlen, mac: link.address, mtuBytes: link.mtu }
  }
  throw new HoldfastError(
    'not-found',
    link ? `NIC ${nic} of ${host} does not have the address ${ip}` : `${host} has no NIC ${nic}`,
    'Restore it, or install this host again with the NIC that carries the tenant plane.',
    { nic, ip },
  )
}
