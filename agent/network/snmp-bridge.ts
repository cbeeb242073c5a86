import type { LiveState } from '../../core/model/common.ts'
import type { SwitchQuestion, SwitchReading } from '../../core/model/switch-reading.ts'
import type { SnmpReader, SnmpValue } from './snmp-session.ts'

/** Columns of IF-MIB (RFC 2863), BRIDGE-MIB (RFC 4188) and Q-BRIDGE-MIB (RFC 4363). */
const columns = {
  ifDescr: '1.3.6.1.2.1.2.2.1.2',
  ifPhysAddress: '1.3.6.1.2.1.2.2.1.6',
  ifOperStatus: '1.3.6.1.2.1.2.2.1.8',
  ifInUcastPkts: '1.3.6.1.2.1.2.2.1.11',
  ifOutUcastPkts: '1.3.6.1.2.1.2.2.1.17',
  ifName: '1.3.6.1.2.1.31.1.1.1.1',
  ifHCInUcastPkts: '1.3.6.1.2.1.31.1.1.1.7',
  ifHCOutUcastPkts: '1.3.6.1.2.1.31.1.1.1.11',
  ifAlias: '1.3.6.1.2.1.31.1.1.1.18',
  dot1dBasePortIfIndex: '1.3.6.1.2.1.17.1.4.1.2',
  dot1dTpFdbPort: '1.3.6.1.2.1.17.4.3.1.2',
  dot1qTpFdbPort: '1.3.6.1.2.1.17.7.1.2.2.1.2',
  dot1qVlanFdbId: '1.3.6.1.2.1.17.7.1.4.2.1.3',
  dot1qPvid: '1.3.6.1.2.1.17.7.1.4.5.1.1',
}

/** ifOperStatus: up; down, notPresent and lowerLayerDown. The rest says neither. */
const operStates = new Map<SnmpValue | undefined, LiveState>([[1, 'up'], [2, 'down'], [6, 'down'], [7, 'down']]) // prettier-ignore

/** What a switch says of some of its ports and of where it has learned MACs. Ports that it does not have are left out. */
export async function readBridge(snmp: SnmpReader, { ports, macs }: SwitchQuestion): Promise<SwitchReading> {
  const [ifNames, interfaceOf, fdb] = await Promise.all([
    snmp.column(columns.ifName),
    snmp.column(columns.dot1dBasePortIfIndex),
    snmp.get(macs.map((mac) => fdbObject(columns.dot1dTpFdbPort, mac))),
  ])
  // ifName came with ifXTable, which small switches do not have.
  const names = ifNames.size > 0 ? ifNames : await snmp.column(columns.ifDescr)
  const asked = await findPorts(snmp, ports, names)
  const bridgePorts = new Map(macs.map((mac) => [mac, fdb.get(fdbObject(columns.dot1dTpFdbPort, mac))]))
  const missing = macs.filter((mac) => !bridgePorts.get(mac))
  for (const [mac, port] of await findInVlans(snmp, missing, [...asked.keys()], interfaceOf)) bridgePorts.set(mac, port)
  const interfaces = new Map(macs.map((mac) => [mac, String(interfaceOf.get(String(bridgePorts.get(mac) ?? 0)) ?? '')]))
  const nameOf = (index: string): string | null => asked.get(index) ?? (names.has(index) ? textOf(names.get(index)!) : null)
  return {
    ports: await readPorts(
      snmp,
      [...new Set([...asked.keys(), ...interfaces.values()])].filter((index) => nameOf(index) !== null),
      nameOf,
    ),
    learned: macs.map((mac) => ({ mac, port: nameOf(interfaces.get(mac)!) })),
  }
}

/**
 * Interfaces that are meant by what LLDP calls their ports, as port by ifIndex: a name, a description, an alias or a MAC (IEEE 802.1AB,
 * LldpPortIdSubtype). What fits several interfaces means none.
 */
async function findPorts(snmp: SnmpReader, ports: readonly string[], names: Map<string, SnmpValue>): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const missing = new Set(ports)
  for (const column of [null, columns.ifDescr, columns.ifAlias, columns.ifPhysAddress]) {
    if (missing.size === 0) break
    const rows = column === null ? names : await snmp.column(column)
    for (const port of missing) {
      const fitting = [...rows].filter(([, value]) => (column === columns.ifPhysAddress ? macOf(value) : textOf(value)) === port)
      if (fitting.length !== 1) continue
      found.set(fitting[0]![0], port)
      missing.delete(port)
    }
  }
  return found
}

/** Bridge ports at which MACs were learned in the VLANs of untagged packets of these interfaces, for switches that learn in each VLAN apart. */
async function findInVlans(
  snmp: SnmpReader,
  macs: readonly string[],
  interfaces: readonly string[],
  interfaceOf: Map<string, SnmpValue>,
): Promise<Map<string, SnmpValue>> {
  const ports = [...interfaceOf].flatMap(([port, index]) => (interfaces.includes(String(index)) ? [port] : []))
  if (macs.length === 0 || ports.length === 0) return new Map()
  const vlans = [...new Set((await snmp.get(ports.map((port) => `${columns.dot1qPvid}.${port}`))).values())].map(String)
  // Indexed by a time mark first; 0 is any.
  const fdbIds = await snmp.get(vlans.map((vlan) => `${columns.dot1qVlanFdbId}.0.${vlan}`))
  const fdbs = new Set(vlans.map((vlan) => String(fdbIds.get(`${columns.dot1qVlanFdbId}.0.${vlan}`) ?? vlan)))
  const objects = [...fdbs].flatMap((fdb) => macs.map((mac) => ({ mac, oid: fdbObject(`${columns.dot1qTpFdbPort}.${fdb}`, mac) })))
  const learned = await snmp.get(objects.map(({ oid }) => oid))
  return new Map(objects.flatMap(({ mac, oid }) => (learned.get(oid) ? [[mac, learned.get(oid)!] as const] : [])))
}

async function readPorts(snmp: SnmpReader, indices: readonly string[], nameOf: (index: string) => string | null): Promise<SwitchReading['ports']> {
  const { ifOperStatus, ifInUcastPkts, ifOutUcastPkts, ifHCInUcastPkts, ifHCOutUcastPkts } = columns
  const objects = [ifOperStatus, ifInUcastPkts, ifOutUcastPkts, ifHCInUcastPkts, ifHCOutUcastPkts]
  const values = await snmp.get(indices.flatMap((index) => objects.map((object) => `${object}.${index}`)))
  return indices.map((index) => {
    const count = (...either: string[]): number | null => {
      const value = either.map((object) => values.get(`${object}.${index}`)).find((one) => one !== undefined)
      return typeof value === 'number' ? value : null
    }
    return {
      port: nameOf(index)!,
      state: operStates.get(values.get(`${ifOperStatus}.${index}`)) ?? 'unknown',
      inPackets: count(ifHCInUcastPkts, ifInUcastPkts),
      outPackets: count(ifHCOutUcastPkts, ifOutUcastPkts),
    }
  })
}

/** The object of a forwarding table that says where a MAC was learned: indexed by its octets. */
function fdbObject(column: string, mac: string): string {
  return `${column}.${mac
    .split(':')
    .map((octet) => parseInt(octet, 16))
    .join('.')}`
}

function textOf(value: SnmpValue): string {
  return value.toString()
}

function macOf(value: SnmpValue): string {
  return typeof value === 'number' ? '' : [...value].map((octet) => octet.toString(16).padStart(2, '0')).join(':')
}
