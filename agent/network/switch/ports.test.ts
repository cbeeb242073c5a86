import fc from 'fast-check'
import { expect, test } from 'vitest'
import { portChanges } from './ovs-instance.ts'
import { parsePorts } from './ports.ts'

test('ports that are devices are read from the table Interface; tunnels, the NIC and bridges are not among them', () => {
  const rows = [
    ['vx0', 'vxlan', 1, 1, ['set', []], ['map', []]],
    ['tenant', '', 1, 1, ['set', []], ['map', [['device-index', '4']]]],
    ['hf-icmp', '', 3, 3, ['set', []], ['map', [['device-index', '9']]]],
    ['br-int', 'internal', 65534, ['set', []], ['set', []], ['map', []]],
    [
      'p1',
      '',
      300,
      300,
      ['set', []],
      [
        'map',
        [
          ['other', 'x'],
          ['device-index', '5'],
        ],
      ],
    ],
    ['p2', '', -1, 301, 'could not open network device p2 (No such device)', ['map', [['device-index', '0']]]],
  ]
  const text = JSON.stringify({ data: rows, headings: ['name', 'type', 'ofport', 'ofport_request', 'error', 'external_ids'] })
  expect(parsePorts(text)).toEqual([
    { device: 'hf-icmp', number: 3, openflowPort: 3, deviceIndex: 9, error: null },
    { device: 'p1', number: 300, openflowPort: 300, deviceIndex: 5, error: null },
    { device: 'p2', number: 301, openflowPort: null, deviceIndex: null, error: 'could not open network device p2 (No such device)' },
  ])
})

const portArbitrary = fc.record({ device: fc.constantFrom('p1', 'p2', 'p3', 'p4'), number: fc.integer({ min: 300, max: 302 }) })
const portsArbitrary = fc.uniqueArray(portArbitrary, { selector: ({ device }) => device })

test('changes of ports make one set the other; a device made anew is taken out and put in', () => {
  fc.assert(
    fc.property(portsArbitrary, portsArbitrary, fc.constantFrom('p1', 'none'), (before, wanted, anew) => {
      const indexOf = (device: string) => (device === anew ? 8 : 7)
      const { removed, added } = portChanges(
        before.map((port) => ({ ...port, deviceIndex: 7 })),
        wanted,
        indexOf,
      )
      const after = [...before.filter(({ device }) => !removed.some((port) => port.device === device)), ...added]
      const text = (ports: typeof after) => ports.map(({ device, number }) => `${device} ${number}`).sort()
      expect(text(after)).toEqual(text(wanted))
      const both = removed.filter(({ device, number }) => added.some((port) => port.device === device && port.number === number))
      const kept = before.some(({ device, number }) => device === anew && wanted.some((port) => port.device === anew && port.number === number))
      expect(both.map(({ device }) => device)).toEqual(kept ? [anew] : [])
    }),
  )
})
