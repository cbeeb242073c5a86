import { z } from 'zod'
import { macSchema, planes, type LiveState, type Nic, type Plane } from '../../core/model/index.ts'

const linkSchema = z.object({
  ifname: z.string().min(1),
  flags: z.array(z.string()),
  mtu: z.number().int().positive(),
  operstate: z.string(),
  link_type: z.string(),
  address: z.string().optional(),
  addr_info: z.array(z.object({ local: z.string().optional(), prefixlen: z.number().optional() })).default([]),
})

/** The virtual switch's own devices, agent/network: a port's cable, the error port, the copy of its packets. The network module tells of them. */
const virtualPort = /^hf(\d+|-icmp|-mirror\d)$/

/** Which planes a host is on, by its configuration. */
export interface PlaneConfig {
  addresses: Partial<Record<Plane, string | undefined>>
  nics: Partial<Record<Plane, string | undefined>>
}

/**
 * Reads `ip -j addr` (ip-address(8)) into the Ethernet interfaces of a host. Entries of another kind or an unknown shape are left out;
 * null when it is not such a list at all. A NIC is on the plane whose address it carries, or which the configuration gives it.
 */
export function parseIpAddr(text: string, host: string, config: PlaneConfig): Nic[] | null {
  let listed: unknown
  try {
    listed = JSON.parse(text)
  } catch {
    return null
  }
  if (!Array.isArray(listed)) return null
  return listed.flatMap((entry) => {
    const parsed = linkSchema.safeParse(entry)
    if (!parsed.success || parsed.data.link_type !== 'ether' || virtualPort.test(parsed.data.ifname)) return []
    const link = parsed.data
    const mac = macSchema.safeParse(link.address)
    if (!mac.success) return []
    const addresses = link.addr_info.flatMap(({ local, prefixlen }) =>
      local === undefined || prefixlen === undefined ? [] : [`${local}/${prefixlen}`],
    )
    const plane = planeOf(link.ifname, addresses, config)
    return [
      { host, name: link.ifname, ...(plane && { plane }), mac: mac.data, addresses, state: stateOf(link.operstate, link.flags), mtuBytes: link.mtu },
    ]
  })
}

function planeOf(name: string, addresses: string[], config: PlaneConfig): Plane | undefined {
  return (
    planes.find((plane) => addresses.some((address) => address.split('/')[0] === config.addresses[plane])) ??
    planes.find((plane) => config.nics[plane] === name)
  )
}

/** RFC 2863 states as Linux reports them (Documentation/networking/operstates.rst): a driver that never tells (`UNKNOWN`) goes by its carrier. */
function stateOf(operstate: string, flags: string[]): LiveState {
  if (operstate === 'UP') return 'up'
  if (operstate !== 'UNKNOWN') return 'down'
  return flags.includes('LOWER_UP') ? 'up' : 'unknown'
}

/**
 * Whether a line of `ip -o monitor link address` tells of anything but an address that is known already. Addresses with a limited
 * lifetime (the cluster's) are announced anew each time that it is prolonged, several times a second.
 */
export function isAddressNews(line: string, nics: Iterable<Nic>): boolean {
  const [, name, address] = /^\d+: (\S+) +inet6? (\S+) /.exec(line) ?? []
  if (name === undefined || address === undefined) return true
  for (const nic of nics) if (nic.name === name) return !nic.addresses.includes(address)
  return true
}
