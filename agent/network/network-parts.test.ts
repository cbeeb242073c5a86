import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { HoldfastError } from '../../core/errors.ts'
import { emptyVirtualNetwork, type VirtualNetwork } from '../../core/model/network.ts'
import { arbitraryDeclaration } from '../../core/net/declaration/arbitrary.ts'
import { planNetwork } from '../../core/net/declaration/plan.ts'
import type { Write } from '../store/store.ts'
import { encodePart, networkKeys } from './documents.ts'
import { NetworkParts } from './network-parts.ts'

const hosts = ['h1', 'h2', 'h3']
const network = arbitraryDeclaration({ hosts }).map((declaration) => planNetwork(emptyVirtualNetwork, declaration, { hosts, prune: false }).next)

/** What another host has after it has read these writes. */
function readBack(parts: NetworkParts, writes: readonly Write[]): NetworkParts {
  const changes = writes.map((write) => ('put' in write ? { key: write.put, value: write.value } : { key: write.delete, value: null }))
  return parts.with(JSON.parse(JSON.stringify(changes)) as typeof changes)
}

const ports = (count: number): VirtualNetwork => ({
  ...emptyVirtualNetwork,
  ports: Array.from({ length: count }, (_, at) => `p${String(at).padStart(5, '0')}`).map((name, at) => ({
    ...{ name, network: 'n', mac: '0e:00:00:00:00:01', ip: '10.0.0.1', allow: [], host: 'h1' },
    ...{ attach: { kind: 'netns' as const }, number: 256 + at },
  })),
})

it('whatever was stored before, what is written makes up the network, to the byte', () => {
  fc.assert(
    fc.property(fc.array(network, { minLength: 1, maxLength: 4 }), (networks) => {
      let writer = new NetworkParts()
      let reader = new NetworkParts()
      let known = emptyVirtualNetwork
      for (const next of networks) {
        const { writes, parts } = writer.replacedBy(next)
        expect(writes.length).toBeLessThanOrEqual(128)
        expect(writes.map((write) => ('put' in write ? write.put : ''))).toContain(networkKeys.desired)
        reader = readBack(reader, writes)
        writer = parts
        for (const each of [reader, writer]) expect(JSON.stringify(each.read())).toBe(JSON.stringify(next))
        known = reader.read(known)
        expect(JSON.stringify(known)).toBe(JSON.stringify(next))
      }
    }),
    { numRuns: 60 },
  )
})

it('one port changed writes its part and the root, and all other objects stay the very same', () => {
  const before = ports(2000)
  const written = new NetworkParts().replacedBy(before)
  const reader = readBack(new NetworkParts(), written.writes)
  const known = reader.read()
  const after = { ...before, ports: before.ports.map((port) => (port.name === 'p00123' ? { ...port, ip: '10.0.0.2' } : port)) }
  const { writes } = written.parts.replacedBy(after)
  expect(writes.length).toBe(2)
  // As few by whoever has only read what lies there.
  expect(reader.replacedBy(after).writes.length).toBe(2)
  const now = readBack(reader, writes).read()
  expect(now).toEqual(after)
  const stay = now.ports.filter((port, at) => port === known.ports[at])
  // Those beside it in its part are read anew.
  expect(stay.length).toBeGreaterThan(1900)
})

it('what no version of ours has written cannot be read, and the network of format 1, which was one key, can', () => {
  const whole = ports(3)
  const { gzip } = encodePart(whole)
  const old = new NetworkParts().with([{ key: networkKeys.desired, value: { format: 1, gzip } }])
  expect(old.read()).toEqual(whole)
  const { writes } = old.replacedBy(whole)
  expect(readBack(old, writes).read()).toEqual(whole)
  for (const value of [
    { format: 3, gzip },
    { format: 2, gzip: 'AAAA' },
    { ...encodePart({}), gzip: encodePart({ ports: [{}] } as never).gzip },
    'x',
    undefined,
  ])
    expect(() => old.with([{ key: networkKeys.part(1), value }]).read()).toThrow(/cannot be read by this version/)
})

it('what was stored before there were hosts, VIPs and ways of broadcast is read with none, and the default', () => {
  const part = { networks: [{ name: 'n', vpc: 'v', vni: 7, subnet: '10.0.0.0/24', tunnel: 'vxlan', mtuBytes: 1450 }] }
  const parts = new NetworkParts().with([
    { key: networkKeys.desired, value: encodePart({ last: { vni: 1, router: 2, port: 300 } } as never) },
    { key: networkKeys.part(1), value: encodePart(part as never) },
  ])
  const read = parts.read()
  expect(read).toMatchObject({ hosts: [], vips: [], last: { vni: 1, router: 2, port: 300, broadcastEpoch: 0 } })
  expect(read.networks).toEqual([{ ...part.networks[0], broadcast: 'cluster+garp' }])
})

it('fields that this version does not know are kept', () => {
  const whole = ports(2)
  const stored = { ...whole, ports: whole.ports.map((port) => ({ ...port, colour: 'red' })) }
  const { writes } = new NetworkParts().replacedBy(stored)
  const parts = readBack(new NetworkParts(), writes)
  const changed = { ...parts.read(), last: { vni: 1, router: 1, port: 300, broadcastEpoch: 1 } }
  expect(readBack(parts, parts.replacedBy(changed).writes).read().ports).toEqual(stored.ports)
})

it('more than one transaction holds is refused, in parts it is taken', () => {
  // What cannot be packed.
  const large = {
    ...emptyVirtualNetwork,
    vpcs: Array.from({ length: 100 }, (_, at) => ({ name: `v${at}`, note: randomBytes(10_000).toString('base64') })),
  }
  expect(() => new NetworkParts().replacedBy(large)).toThrow(HoldfastError)
  const half = new NetworkParts().replacedBy({ ...large, vpcs: large.vpcs.slice(0, 20) })
  expect(half.parts.read().vpcs.length).toBe(20)
})
