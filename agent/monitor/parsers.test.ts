import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { diskSchema, neighbourSchema, nicSchema, type Neighbour, type Nic } from '../../core/model/index.ts'
import { isAddressNews, parseIpAddr } from './ip-addr.ts'
import { parseNeighbours, rememberNeighbours } from './lldp.ts'
import { parseDpkgStatus, parseOsRelease, parseProgramVersion } from './packages.ts'
import { parseSmart } from './smart.ts'

/** What the real programs printed: iproute2 6.1, lldpd 1.0.16, smartctl 7.3. */
const recorded = (name: string): string => readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8')
const config = { addresses: { mgmt: '10.0.0.1' }, nics: { mgmt: 'other', storage: 'storage' } }

describe('ip -j addr', () => {
  it('gives Ethernet interfaces with their plane by address, else by name', () => {
    expect(parseIpAddr(recorded('ip-addr.json'), 'h1', config)).toEqual([
      {
        host: 'h1',
        name: 'mgmt',
        plane: 'mgmt',
        mac: '3e:27:ca:f9:12:86',
        addresses: ['10.0.0.1/24', 'fe80::3c27:caff:fef9:1286/64'],
        state: 'up',
        mtuBytes: 1500,
      },
      { host: 'h1', name: 'storage', plane: 'storage', mac: 'c2:8d:48:d1:1a:1e', addresses: [], state: 'down', mtuBytes: 1500 },
    ])
  })

  it('leaves out the cables of virtual ports', () => {
    const link = (ifname: string) => ({ ifname, flags: ['UP'], mtu: 1450, operstate: 'UP', link_type: 'ether', address: '02:00:00:00:00:01' })
    const nics = parseIpAddr(JSON.stringify(['hf256', 'hf-icmp', 'hfa1', 'eth0'].map(link)), 'h1', { addresses: {}, nics: {} })
    expect(nics?.map((nic) => nic.name)).toEqual(['hfa1', 'eth0'])
  })

  it.each([
    ['UP', [], 'up'],
    ['DOWN', ['UP', 'LOWER_UP'], 'down'],
    ['LOWERLAYERDOWN', ['UP'], 'down'],
    ['DORMANT', ['UP'], 'down'],
    ['UNKNOWN', ['UP', 'LOWER_UP'], 'up'],
    ['UNKNOWN', ['UP'], 'unknown'],
  ])('operstate %s with %j is %s', (operstate, flags, state) => {
    const link = { ifname: 'x', flags, mtu: 1500, operstate, link_type: 'ether', address: '02:00:00:00:00:01', addr_info: [] }
    expect(parseIpAddr(JSON.stringify([link]), 'h1', config)).toMatchObject([{ state }])
  })

  it('is null for what is no list, and leaves out entries that are no links', () => {
    for (const text of ['', '{}', '[', 'null']) expect(parseIpAddr(text, 'h1', config)).toBeNull()
    expect(parseIpAddr('[null, 1, {}, {"ifname": ""}]', 'h1', config)).toEqual([])
  })
})

describe('ip -o monitor', () => {
  const nics = [{ name: 'mgmt', addresses: ['10.0.0.9/24'] }] as Nic[]
  it.each([
    ['2: mgmt    inet 10.0.0.9/24 scope global secondary mgmt\\       valid_lft 1sec preferred_lft 1sec', false],
    ['2: mgmt    inet 10.0.0.8/24 scope global mgmt\\       valid_lft forever preferred_lft forever', true],
    ['3: other    inet 10.0.0.9/24 scope global other\\       valid_lft forever preferred_lft forever', true],
    ['Deleted 2: mgmt    inet 10.0.0.9/24 scope global secondary mgmt\\       valid_lft forever preferred_lft forever', true],
    ['2: mgmt@if2: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 qdisc noqueue state DOWN group default \\    link/ether 3e:27:ca:f9:12:86', true],
  ])('%s: news %s', (line, news) => {
    expect(isAddressNews(line, nics)).toBe(news)
  })
})

describe('lldpcli', () => {
  it('gives the neighbour of each NIC', () => {
    const common = { host: 'h1', chassisId: '42:2c:fb:fd:b9:dc', systemName: 'tor1' }
    expect(parseNeighbours(recorded('lldp-neighbours.json'), 'h1')).toEqual([
      { ...common, nic: 'mgmt', portId: 'h1-mgmt', portDescription: 'h1-mgmt', managementAddresses: ['fe80::402c:fbff:fefd:b9dc'] },
      { ...common, nic: 'storage', portId: 'h1-storage', portDescription: 'h1-storage', managementAddresses: ['fe80::402c:fbff:fefd:b9dc'] },
    ])
  })

  it('gives none where nothing is heard, and null for another text', () => {
    expect(parseNeighbours(recorded('lldp-none.json'), 'h1')).toEqual([])
    for (const text of ['', '[]', '{"lldp": 1}', '2026 [WARN/lldpctl] unable to connect']) expect(parseNeighbours(text, 'h1')).toBeNull()
  })

  it('prefers a bridge where a NIC hears several, and leaves out what has no identity', () => {
    const heard = (name: string, bridge: boolean) => ({
      name: 'mgmt',
      chassis: [{ id: [{ type: 'local', value: name }], name: [{ value: name }], capability: [{ type: 'Bridge', enabled: bridge }] }],
      port: [{ id: [{ type: 'ifname', value: 'p1' }] }],
    })
    const all = [{ name: 'mgmt', chassis: [{}], port: [{}] }, heard('phone', false), heard('tor2', true), heard('tor3', true)]
    expect(parseNeighbours(JSON.stringify({ lldp: [{ interface: all }] }), 'h1')).toEqual([
      { host: 'h1', nic: 'mgmt', chassisId: 'tor2', systemName: 'tor2', portId: 'p1' },
    ])
  })

  const neighbour = (nic: string, portId: string, lostAtMs?: number): Neighbour => ({
    host: 'h1',
    nic,
    chassisId: 'c',
    systemName: 'tor1',
    portId,
    ...(lostAtMs !== undefined && { lostAtMs }),
  })

  it('remembers what fell silent since when, until it is heard again or its NIC is gone', () => {
    const nics = ['a', 'b', 'c', 'new'].map((name) => ({ name, state: 'up' as const }))
    const before = [neighbour('a', '1'), neighbour('b', '2', 5), neighbour('c', '3', 6), neighbour('gone', '4')]
    expect(rememberNeighbours(before, [neighbour('c', '9'), neighbour('new', '7')], nics, 100)).toEqual([
      neighbour('a', '1', 100),
      neighbour('b', '2', 5),
      neighbour('c', '9'),
      neighbour('new', '7'),
    ])
  })

  it('knows a neighbour as lost from the moment its NIC has no carrier, though lldpd lists it still', () => {
    const nics = [
      { name: 'a', state: 'down' as const },
      { name: 'b', state: 'down' as const },
      { name: 'c', state: 'unknown' as const },
    ]
    const heard = [neighbour('a', '1'), neighbour('b', '2'), neighbour('c', '3')]
    const cut = rememberNeighbours([neighbour('a', '1')], heard, nics, 100)
    expect(cut).toEqual([neighbour('a', '1', 100), neighbour('b', '2', 100), neighbour('c', '3')])
    expect(rememberNeighbours(cut, heard, nics, 200)).toEqual(cut)
  })
})

describe('smartctl', () => {
  it('does not know the health of a virtual disk', () => expect(parseSmart(recorded('smart-virtio.json'))).toEqual({ health: 'unknown' }))

  it.each([
    [
      { smart_status: { passed: true }, model_name: 'ST4000', serial_number: 'Z1', rotation_rate: 7200 },
      { health: 'ok', model: 'ST4000', serial: 'Z1', rotational: true },
    ],
    [
      { smart_status: { passed: false }, rotation_rate: 0 },
      { health: 'failing', rotational: false },
    ],
    [{ smart_status: { passed: 'yes' }, model_name: 7 }, { health: 'unknown' }],
    [[], { health: 'unknown' }],
  ])('%j', (document, report) => expect(parseSmart(JSON.stringify(document))).toEqual(report))
})

describe('packages and system', () => {
  it('takes installed packages from dpkg, not removed ones', () => {
    const status = `Package: iproute2
Status: install ok installed
Version: 6.1.0-3
Description: networking
 Package: not-a-field

Package: lldpd
Status: deinstall ok config-files
Version: 1.0.16

Package: other
Status: install ok installed
Version: 1
`
    expect([...parseDpkgStatus(status, new Set(['iproute2', 'lldpd']))]).toEqual([['iproute2', '6.1.0-3']])
  })

  it.each([
    ['etcd Version: 3.4.23\nGit SHA: Not provided', '3.4.23'],
    ['ip utility, iproute2-6.1.0, libbpf 1.1.2', '6.1.0'],
    ['smartctl 7.3 2022-02-28 r5338 [x86_64-linux-6.18.44] (local build)', '7.3'],
    ['1.0.16\n', '1.0.16'],
    ['no number', null],
  ])('%j has version %s', (output, version) => expect(parseProgramVersion(output)).toBe(version))

  it('reads os-release', () => {
    expect(parseOsRelease('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\n')).toEqual({
      name: 'Debian GNU/Linux',
      version: '12',
    })
    expect(parseOsRelease("NAME='A \\\"B'\nVERSION_CODENAME=sid\n")).toEqual({ name: 'A "B', version: 'sid' })
    expect(parseOsRelease('')).toEqual({ name: 'Linux', version: '' })
  })
})

describe('any text', () => {
  const originals = ['ip-addr.json', 'lldp-neighbours.json', 'smart-virtio.json'].map(recorded)
  /** A recorded text with a part cut out or replaced, or anything at all. */
  const mutated = fc
    .tuple(fc.constantFrom(...originals), fc.nat(), fc.nat({ max: 40 }), fc.oneof(fc.string(), fc.constantFrom('null', '[]', '{}', '-1', '"x"')))
    .map(([text, at, length, inserted]) => {
      const start = at % text.length
      return text.slice(0, start) + inserted + text.slice(start + length)
    })
  /** JSON of the right outline with anything inside. */
  const outlined = fc
    .jsonValue()
    .chain((value) =>
      fc.constantFrom<unknown>(
        value,
        [value],
        { lldp: value },
        { lldp: [{ interface: value }] },
        { lldp: [{ interface: [{ name: 'a', chassis: [value], port: [value] }] }] },
        { smart_status: value, model_name: value },
        [{ ifname: 'a', flags: [], mtu: 1, operstate: 'UP', link_type: 'ether', address: '02:00:00:00:00:01', addr_info: value }],
      ),
    )
  const text = fc.oneof(
    mutated,
    fc.string(),
    outlined.map((value) => JSON.stringify(value)),
  )

  it('is refused or gives valid documents, never an error', () => {
    fc.assert(
      fc.property(text, (input) => {
        for (const nic of parseIpAddr(input, 'h1', config) ?? []) nicSchema.parse(nic)
        for (const found of parseNeighbours(input, 'h1') ?? []) neighbourSchema.parse(found)
        diskSchema.parse({ host: 'h1', name: 'vda', sizeBytes: 1, ...parseSmart(input) })
        isAddressNews(input, [])
        parseDpkgStatus(input, new Set(['x']))
        parseProgramVersion(input)
        parseOsRelease(input)
      }),
      { numRuns: 1000 },
    )
  })
})
