import { z } from 'zod'
import type { Neighbour, Nic } from '../../core/model/index.ts'

/** lldpcli's `json0` format wraps every element in a list, also single ones, so that its shape does not depend on its content. */
const values = z.array(z.object({ value: z.string() })).optional()
const interfaceSchema = z.object({
  name: z.string().min(1),
  chassis: z.array(
    z.object({
      'id': values,
      'name': values,
      'mgmt-ip': values,
      'capability': z.array(z.object({ type: z.string(), enabled: z.boolean() })).optional(),
    }),
  ),
  port: z.array(z.object({ id: values, descr: values })),
})

/**
 * Reads `lldpcli -f json0 show neighbors` (lldpcli(8)). One neighbour a NIC: where several are heard, a bridge before others, then the one
 * listed first. Entries without a chassis or port id (IEEE 802.1AB demands both) are left out; null when it is not such a document.
 */
export function parseNeighbours(text: string, host: string): Neighbour[] | null {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    return null
  }
  const outer = z.object({ lldp: z.array(z.object({ interface: z.array(z.unknown()).optional() })) }).safeParse(document)
  if (!outer.success) return null
  const found = new Map<string, { neighbour: Neighbour; bridge: boolean }>()
  for (const entry of outer.data.lldp.flatMap((part) => part.interface ?? [])) {
    const parsed = interfaceSchema.safeParse(entry)
    if (!parsed.success) continue
    const [chassis, port] = [parsed.data.chassis[0], parsed.data.port[0]]
    const [chassisId, portId] = [chassis?.id?.[0]?.value, port?.id?.[0]?.value]
    if (!chassisId || !portId) continue
    const bridge = chassis?.capability?.some(({ type, enabled }) => type === 'Bridge' && enabled) ?? false
    const before = found.get(parsed.data.name)
    if (before && (before.bridge || !bridge)) continue
    const portDescription = port?.descr?.[0]?.value
    const managementAddresses = chassis?.['mgmt-ip']?.map(({ value }) => value)
    const neighbour = {
      host,
      nic: parsed.data.name,
      chassisId,
      systemName: chassis?.name?.[0]?.value ?? '',
      portId,
      ...(portDescription && { portDescription }),
      ...(managementAddresses && { managementAddresses }),
    }
    found.set(parsed.data.name, { neighbour, bridge })
  }
  return [...found.values()].map(({ neighbour }) => neighbour)
}

/**
 * What to report when lldpd lists `heard`: those, and what was known before and is silent, marked with when it was lost. Nobody is heard
 * through a NIC without a carrier, whatever lldpd still lists: it drops a neighbour about 1 s after the cable. A NIC that is gone takes its
 * neighbour with it.
 */
export function rememberNeighbours(
  before: Iterable<Neighbour>,
  heard: Iterable<Neighbour>,
  nics: readonly Pick<Nic, 'name' | 'state'>[],
  nowMs: number,
): Neighbour[] {
  const stateOf = new Map(nics.map((nic) => [nic.name, nic.state]))
  const known = new Map<string, Neighbour>()
  const lost = (neighbour: Neighbour): void => void known.set(neighbour.nic, { ...neighbour, lostAtMs: neighbour.lostAtMs ?? nowMs })
  for (const neighbour of before) if (stateOf.has(neighbour.nic)) lost(neighbour)
  for (const neighbour of heard) {
    if (stateOf.get(neighbour.nic) !== 'down') known.set(neighbour.nic, neighbour)
    else if (!known.has(neighbour.nic)) lost(neighbour)
  }
  return [...known.values()]
}
