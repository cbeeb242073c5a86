import { floating, floating6, type Declared, type Guest } from './declaration.ts'
import type { Floating, Rig } from './rig.ts'
import { router, type Scene } from './scene.ts'
import type { VirtualRouter } from '../../lab/keepalived.ts'

/** The guest that has the address loses its cable, and gets it back. */
async function failOver(rig: Rig, address: Floating, change: Partial<VirtualRouter>): Promise<{ overMs: number; backMs: number }> {
  await rig.claim('web-1', router('high', change))
  await rig.isWith('web-1', address)
  await rig.claim('web-2', router('low', change))
  const setCable = (guest: Guest, state: 'up' | 'down') => rig.lab.inside(guest, 'ip', 'link', 'set', 'eth0', state)
  await setCable('web-1', 'down')
  const overMs = await rig.isWith('web-2', address)
  await setCable('web-1', 'up')
  await rig.restoreRoutes('web-1')
  const backMs = await rig.isWith('web-1', address)
  return { overMs, backMs }
}

function kind(name: string, address: Floating, change: Partial<VirtualRouter>, declared: Declared = {}): Scene {
  return {
    name,
    async play(rig) {
      if (declared.tunnel) await rig.begin(declared)
      const figures = await failOver(rig, address, change)
      await rig.noClaims()
      if (declared.tunnel) await rig.begin()
      return { ...figures }
    },
  }
}

const six = { id: 61, address: `${floating6.address}/${floating6.prefix}` }

/** Ways in which an address can be announced, and carried. */
export const kinds: readonly Scene[] = [
  kind('IPv6', floating6, six),
  kind('virtual MAC', floating, { virtualMac: true }),
  kind('IPv6, virtual MAC', floating6, { ...six, virtualMac: true }),
  kind('GRE', floating, {}, { tunnel: 'gre' }),
]
