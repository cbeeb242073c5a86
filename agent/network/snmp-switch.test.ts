import { expect, it } from 'vitest'
import type { Neighbour } from '../../core/model/hardware.ts'
import { managementAddress } from './snmp-switch.ts'

const neighbour = (systemName: string, managementAddresses?: string[]): Neighbour => ({
  ...{ host: 'h1', nic: 'mgmt', chassisId: '02:83:00:00:00:01', systemName, portId: 'swp1' },
  ...(managementAddresses && { managementAddresses }),
})

it.each<[string, Neighbour[], string | null]>([
  ['its IPv4 address first', [neighbour('tor1', ['2001:db8::2', '10.0.0.2'])], '10.0.0.2'],
  ['an IPv6 address where there is no other', [neighbour('tor1', ['fe80::2', '2001:db8::2'])], '2001:db8::2'],
  ['what any NIC hears', [neighbour('tor1'), neighbour('tor1', ['10.0.0.2'])], '10.0.0.2'],
  ['nothing of a switch that is not heard', [neighbour('tor2', ['10.0.0.3'])], null],
  ['nothing where it does not say', [neighbour('tor1')], null],
  [
    'no address of this host itself, of a link or of a group',
    [neighbour('tor1', ['127.0.0.1', '0.0.0.0', '169.254.1.1', '224.0.0.1', '255.255.255.255', '::1', 'fe80::1', 'ff02::1'])],
    null,
  ],
  ['nothing that is no address', [neighbour('tor1', ['tor1.example', ''])], null],
])('a switch is asked at %s', (_, heard, address) => {
  // prettier-ignore
  expect(managementAddress(heard, 'tor1')).toBe(address)
})

it('a switch without a name is known by its chassis', () => {
  expect(managementAddress([neighbour('', ['10.0.0.2'])], '02:83:00:00:00:01')).toBe('10.0.0.2')
})
