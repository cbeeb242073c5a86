import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { planes } from '../core/model/common.ts'
import { addedMac, addedNic, freeSlot, maxAdded, maxHosts, maxSlots, plainAddress, planLab, slotMeets, switchNames } from './plan.ts'

const slot = fc.integer({ min: 0, max: maxSlots - 1 })
const hostCount = fc.integer({ min: 1, max: maxHosts })

/** Every address, MAC and switch port of a plan. */
function everything(plan: ReturnType<typeof planLab>): { addresses: string[]; macs: string[]; ports: string[] } {
  const nics = plan.hosts.flatMap((host) => Object.values(host.nics))
  const trunk = planes.flatMap((plane) => switchNames.map((name) => ({ name, ...plan.trunk[plane][name] })))
  return {
    addresses: [
      ...nics.map((nic) => nic.address),
      ...switchNames.map((name) => plan.switches[name].address),
      plan.laptop.address,
      plan.clusterIp.split('/')[0]!,
    ],
    macs: [
      ...nics.flatMap((nic) => [nic.mac, nic.portMac]),
      ...trunk.map((end) => end.portMac),
      ...switchNames.map((name) => plan.switches[name].mac),
      plan.laptop.mac,
      plan.laptop.portMac,
    ],
    ports: [...nics.map((nic) => `${nic.switchName}/${nic.port}`), ...trunk.map((end) => `${end.name}/${end.port}`), `tor1/${plan.laptop.port}`],
  }
}

describe('planLab', () => {
  it('gives nothing out twice, within a lab or to two labs', () => {
    fc.assert(
      fc.property(slot, slot, hostCount, (a, b, hosts) => {
        const one = everything(planLab(a, hosts))
        for (const list of Object.values(one)) expect(new Set(list).size).toBe(list.length)
        if (a === b) return
        const other = everything(planLab(b, maxHosts))
        expect(other.addresses.filter((address) => one.addresses.includes(address))).toEqual([])
        expect(other.macs.filter((mac) => one.macs.includes(mac))).toEqual([])
        expect(planLab(a, 1).laptop.nic).not.toBe(planLab(b, 1).laptop.nic)
      }),
    )
  })

  it('makes unicast, locally administered MACs and names that fit an interface', () => {
    fc.assert(
      fc.property(slot, (number) => {
        const plan = planLab(number, maxHosts)
        for (const mac of everything(plan).macs) expect(mac).toMatch(/^02(:[0-9a-f]{2}){5}$/)
        expect(plan.laptop.nic.length).toBeLessThanOrEqual(15)
      }),
    )
  })

  it('plugs mgmt into tor1, storage into tor2, and tenant into both in turn', () => {
    const { hosts } = planLab(0, 3)
    expect(hosts.map(({ nics }) => planes.map((plane) => nics[plane].switchName).join())).toEqual([
      'tor1,tor2,tor1',
      'tor1,tor2,tor2',
      'tor1,tor2,tor1',
    ])
  })

  it('gives each added machine a MAC, an address and a port that no other has, on whichever switch', () => {
    fc.assert(
      fc.property(slot, fc.constantFrom(...switchNames), (number, switchName) => {
        const plan = planLab(number, maxHosts)
        const { addresses, macs, ports } = everything(plan)
        for (let added = 1; added <= maxAdded; added++) {
          const nic = addedNic(number, { number: added, switchName, vlan: null, mac: addedMac(number, added) })
          addresses.push(plainAddress(plan, added))
          macs.push(nic.mac, nic.portMac)
          ports.push(`${nic.switchName}/${nic.port}`)
        }
        for (const list of [addresses, macs, ports]) expect(new Set(list).size).toBe(list.length)
        for (const address of addresses) expect(Number(address.split('.')[3])).toBeLessThan(255)
      }),
    )
  })

  it('keeps a host where it was when the lab is larger', () => {
    fc.assert(
      fc.property(slot, hostCount, (number, hosts) => {
        expect(planLab(number, maxHosts).hosts.slice(0, hosts)).toEqual(planLab(number, hosts).hosts)
      }),
    )
  })
})

describe('freeSlot', () => {
  it('takes the lowest that is free', () => {
    expect(freeSlot([], [])).toBe(0)
    expect(freeSlot([], [0, 2])).toBe(1)
    expect(freeSlot(['10.83.2.0/24', '10.83.3.7/32', '192.0.2.2/24', '0.0.0.0/0'], [])).toBe(2)
    expect(freeSlot(['10.0.0.0/8'], [])).toBeNull()
    expect(
      freeSlot(
        [],
        Array.from({ length: maxSlots }, (_, index) => index),
      ),
    ).toBeNull()
  })

  it('never meets a network of the machine', () => {
    const cidr = fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 255 }), fc.integer({ min: 16, max: 32 }))
    fc.assert(
      fc.property(fc.array(cidr, { maxLength: 20 }), (networks) => {
        const cidrs = networks.map(([third, fourth, bits]) => `10.83.${third}.${fourth}/${bits}`)
        const chosen = freeSlot(cidrs, [])
        if (chosen === null) return
        const thirds = [0, 1, 2].map((plane) => chosen * 3 + plane)
        for (const [third, , bits] of networks) {
          // Written another way than the code under test: the third octets that a network covers.
          const span = bits >= 24 ? 1 : 2 ** (24 - bits)
          const first = third - (third % span)
          expect(thirds.some((octet) => octet >= first && octet < first + span)).toBe(false)
        }
      }),
    )
  })

  it('lets what is no IPv4 network through', () => {
    expect(slotMeets(0, 'default')).toBe(false)
    expect(slotMeets(0, 'fd00::/8')).toBe(false)
  })
})
