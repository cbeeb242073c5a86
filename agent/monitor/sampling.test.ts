import fc from 'fast-check'
import { expect, it } from 'vitest'
import { sampleSchema } from '../../core/model/index.ts'
import { sampleBetween, type Counters } from './sampling.ts'

const counters = (fields: Partial<Counters>): Counters => ({
  monotonicMs: 0,
  wallMs: 1_000_000,
  cpu: { total: 1000, idle: 900 },
  memory: { totalBytes: 100, availableBytes: 60 },
  load1: 0.5,
  nics: new Map(),
  disks: new Map(),
  ...fields,
})

it('gives means a second', () => {
  const before = counters({
    nics: new Map([['mgmt', { rxBytes: 100, txBytes: 0, drops: 1 }]]),
    disks: new Map([['vdb', { readBytes: 0, writtenBytes: 512, busyMs: 10 }]]),
  })
  const after = counters({
    monotonicMs: 2000,
    wallMs: 1_002_000.7,
    cpu: { total: 1400, idle: 1200 },
    nics: new Map([
      ['mgmt', { rxBytes: 300, txBytes: 50, drops: 5 }],
      ['new', { rxBytes: 9, txBytes: 9, drops: 9 }],
    ]),
    disks: new Map([['vdb', { readBytes: 2048, writtenBytes: 512, busyMs: 510 }]]),
  })
  expect(sampleBetween(before, after)).toEqual({
    atMs: 1_002_000,
    cpu: 0.25,
    memoryUsedBytes: 40,
    load1: 0.5,
    nics: { mgmt: { rxBytesPerS: 100, txBytesPerS: 25, dropsPerS: 2 } },
    disks: { vdb: { readBytesPerS: 1024, writeBytesPerS: 0, busy: 0.25 } },
  })
})

it('stays valid whatever the counters do: reset, stand still, run backwards', () => {
  const n = fc.nat()
  const name = fc.constantFrom('a', 'b', '__proto__')
  const arbitrary = fc
    .record({
      monotonicMs: n,
      wallMs: fc.double({ min: -1, max: 1e13, noNaN: true }),
      cpu: fc.record({ total: n, idle: n }),
      memory: fc.record({ totalBytes: n, availableBytes: n }),
      load1: fc.double({ min: 0, max: 1e4, noNaN: true }),
      nics: fc.array(fc.tuple(name, fc.record({ rxBytes: n, txBytes: n, drops: n }))),
      disks: fc.array(fc.tuple(name, fc.record({ readBytes: n, writtenBytes: n, busyMs: n }))),
    })
    .map((fields): Counters => ({ ...fields, nics: new Map(fields.nics), disks: new Map(fields.disks) }))
  fc.assert(fc.property(arbitrary, arbitrary, (before, after) => void sampleSchema.parse(sampleBetween(before, after))))
})
