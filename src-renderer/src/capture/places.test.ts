import { describe, expect, test } from 'vitest'
import { placeText } from '../../../core/model/capture.ts'
import { placesOfHops, suggestPlaces, type Known } from './places.ts'

const known: Known = {
  hosts: ['h1', 'h2'],
  ports: [
    { name: 'web-1', ip: '10.20.1.11', host: 'h1', network: 'web' },
    { name: 'db-1', ip: '10.20.2.11', host: 'h2', network: 'db' },
  ],
  networks: [
    { name: 'web', vpc: 'shop' },
    { name: 'db', vpc: 'shop' },
  ],
  nics: [
    { host: 'h1', name: 'eth1', plane: 'tenant' },
    { host: 'h2', name: 'eth1', plane: 'tenant' },
  ],
}

describe('places of a capture', () => {
  test('are all that there are, tunnels only where the network has a port', () => {
    expect(suggestPlaces(known)).toEqual([
      { value: 'port:web-1', detail: '10.20.1.11  web  h1' },
      { value: 'port:db-1', detail: '10.20.2.11  db  h2' },
      { value: 'nic:h1/eth1', detail: 'tenant' },
      { value: 'nic:h2/eth1', detail: 'tenant' },
      { value: 'bridge:h1', detail: 'br-int' },
      { value: 'bridge:h2', detail: 'br-int' },
      { value: 'tunnel:h1/web', detail: 'shop' },
      { value: 'tunnel:h2/db', detail: 'shop' },
    ])
  })

  test('on a traced way are its ports, bridges and NICs, there and back once', () => {
    const there = [
      { host: 'h1', device: 'web-1' },
      { host: 'h1', device: 'br-int' },
      { host: 'h1', device: 'eth1' },
      { host: 'tor1', device: 'swp1' },
      { host: 'h2', device: 'eth1' },
      { host: 'h2', device: 'br-int' },
      { host: 'h2', device: 'db-1' },
    ]
    expect(placesOfHops([...there, ...there.toReversed()], known).map(placeText)).toEqual([
      'port:web-1',
      'bridge:h1',
      'nic:h1/eth1',
      'nic:h2/eth1',
      'bridge:h2',
      'port:db-1',
    ])
  })
})
