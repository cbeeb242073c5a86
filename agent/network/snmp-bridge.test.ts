import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readBridge } from './snmp-bridge.ts'
import type { SnmpReader, SnmpValue } from './snmp-session.ts'

/** Objects as `snmpwalk -On` of Net-SNMP prints them; an octet string as text or as hexadecimal. */
function objectsIn(text: string): Map<string, SnmpValue> {
  return new Map(
    text.split('\n').flatMap((line): [string, SnmpValue][] => {
      const [, oid, type, value] = /^\.([\d.]+) = (?:([\w-]+): )?(.*)$/.exec(line) ?? []
      if (oid === undefined || value === undefined) return []
      if (type === 'INTEGER' || type?.startsWith('Counter')) return [[oid, Number(value)]]
      return [[oid, type === 'Hex-STRING' ? Buffer.from(value.replaceAll(' ', ''), 'hex') : Buffer.from(value.replace(/^"|"$/g, ''))]]
    }),
  )
}

function reader(objects: Map<string, SnmpValue>): SnmpReader {
  const below = (prefix: string) =>
    [...objects].flatMap(([oid, value]) => (oid.startsWith(prefix) ? [[oid.slice(prefix.length), value] as const] : []))
  return {
    get: (oids) => Promise.resolve(new Map(oids.flatMap((oid) => (objects.has(oid) ? [[oid, objects.get(oid)!] as const] : [])))),
    column: (oid) => Promise.resolve(new Map(below(`${oid}.`))),
  }
}

/** Recorded from Net-SNMP 5.9 on a bridge with seven ports. */
const recorded = () => objectsIn(readFileSync(join(import.meta.dirname, 'fixtures/snmp-switch.txt'), 'utf8'))
/** The recording without some objects, and with others. */
const changed = (without: string[], added: Record<string, SnmpValue> = {}) =>
  reader(new Map([...[...recorded()].filter(([oid]) => !without.some((prefix) => oid.startsWith(`${prefix}.`))), ...Object.entries(added)]))

const [tenantOfH1, tenantOfH2, nobody] = ['02:83:02:01:01:03', '02:83:02:01:02:03', '02:00:00:00:00:99']
const ifMib = {
  counters64: '1.3.6.1.2.1.31.1.1.1',
  operStatus: '1.3.6.1.2.1.2.2.1.8',
  name: '1.3.6.1.2.1.31.1.1.1.1',
  alias: '1.3.6.1.2.1.31.1.1.1.18',
}
const fdb = '1.3.6.1.2.1.17.4.3.1.2'

describe('what a switch says', () => {
  it('is the state and the counters of the ports asked for and of those where MACs were learned', async () => {
    const objects = recorded()
    const countersOf = (index: number) => ({
      inPackets: objects.get(`1.3.6.1.2.1.31.1.1.1.7.${index}`),
      outPackets: objects.get(`1.3.6.1.2.1.31.1.1.1.11.${index}`),
    })
    expect(await readBridge(reader(objects), { ports: ['swp8', 'swp99'], macs: [tenantOfH1, tenantOfH2, nobody] })).toEqual({
      ports: [
        { port: 'swp8', state: 'up', ...countersOf(6) },
        { port: 'swp17', state: 'up', ...countersOf(10) },
      ],
      learned: [
        { mac: tenantOfH1, port: 'swp8' },
        { mac: tenantOfH2, port: 'swp17' },
        { mac: nobody, port: null },
      ],
    })
    expect(countersOf(6).inPackets).toBeGreaterThan(0)
  })

  it.each<[number, string]>([
    [1, 'up'],
    [2, 'down'],
    [3, 'unknown'],
    [4, 'unknown'],
    [6, 'down'],
    [7, 'down'],
  ])('ifOperStatus %i means %s', async (status, state) => {
    // prettier-ignore
    const { ports } = await readBridge(changed([], { [`${ifMib.operStatus}.6`]: status }), { ports: ['swp8'], macs: [] })
    expect(ports).toMatchObject([{ port: 'swp8', state }])
  })

  it('comes from the 32-bit counters and descriptions where there is no ifXTable', async () => {
    const { ports, learned } = await readBridge(changed([ifMib.counters64]), { ports: ['swp8'], macs: [tenantOfH2] })
    expect(ports.map(({ port }) => port)).toEqual(['swp8', 'swp17'])
    expect(ports[0]!.inPackets).toBe(recorded().get('1.3.6.1.2.1.2.2.1.11.6'))
    expect(learned).toEqual([{ mac: tenantOfH2, port: 'swp17' }])
  })

  it('has no counts where it counts nothing', async () => {
    const silent = changed([ifMib.counters64, '1.3.6.1.2.1.2.2.1.11', '1.3.6.1.2.1.2.2.1.17'])
    expect((await readBridge(silent, { ports: ['swp8'], macs: [] })).ports).toEqual([
      { port: 'swp8', state: 'up', inPackets: null, outPackets: null },
    ])
  })

  it('finds a port by its alias or its MAC too, and none where several have it', async () => {
    const snmp = changed([], { [`${ifMib.alias}.6`]: Buffer.from('to h1'), [`${ifMib.alias}.7`]: Buffer.from('spare'), [`${ifMib.alias}.8`]: Buffer.from('spare') }) // prettier-ignore
    // The three bridges have one MAC.
    const { ports } = await readBridge(snmp, { ports: ['to h1', '02:83:02:02:01:11', 'spare', '02:83:02:02:01:00'], macs: [tenantOfH1, tenantOfH2] })
    expect(ports.map(({ port }) => port).sort()).toEqual(['02:83:02:02:01:11', 'to h1'])
  })

  it('is found in the VLAN of the asked port where each VLAN learns apart', async () => {
    const qBridge = '1.3.6.1.2.1.17.7.1'
    const vlan = (fdbId: number) => ({
      [`${qBridge}.4.5.1.1.8`]: 30,
      [`${qBridge}.2.2.1.2.${fdbId}.2.131.2.1.1.3`]: 8,
      // Of another VLAN.
      [`${qBridge}.2.2.1.2.7.2.131.2.1.2.3`]: 17,
    })
    const question = { ports: ['swp8'], macs: [tenantOfH1, tenantOfH2] }
    const learned = [
      { mac: tenantOfH1, port: 'swp8' },
      { mac: tenantOfH2, port: null },
    ]
    expect((await readBridge(changed([fdb], vlan(30)), question)).learned).toEqual(learned)
    const other = { ...vlan(4), [`${qBridge}.4.2.1.3.0.30`]: 4 }
    expect((await readBridge(changed([fdb], other), question)).learned).toEqual(learned)
  })

  it('is nothing where it has none of these tables', async () => {
    expect(await readBridge(reader(new Map()), { ports: ['swp8'], macs: [tenantOfH1] })).toEqual({
      ports: [],
      learned: [{ mac: tenantOfH1, port: null }],
    })
  })
})
