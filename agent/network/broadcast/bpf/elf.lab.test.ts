import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { HoldfastError } from '../../../../core/errors.ts'
import { buildBroadcastObject } from '../../../../scripts/broadcast-object.ts'
import { Btf, mapTypes } from './btf.ts'
import { parseElf } from './elf.ts'
import { linkProgram } from './program.ts'

/** On the object of the program itself, for which a compiler is needed. */
describe('the object of the program', () => {
  let file: Buffer
  beforeAll(() => {
    file = readFileSync(buildBroadcastObject(console.log))
  })

  test('its maps are read from BTF by name, with what is in a map of maps', () => {
    const maps = new Map(new Btf(parseElf(file)).maps().map((map) => [map.name, map]))
    expect([...maps.keys()].sort()).toEqual([
      ...[
        'addresses',
        'counters',
        'events',
        'fanouts',
        'fast',
        'hand_overs',
        'limits',
        'lists',
        'sequence',
        'settings',
        'sightings',
        'totals',
        'vnis',
      ],
    ])
    expect(maps.get('addresses')).toEqual({ name: 'addresses', type: mapTypes.hash, keyBytes: 4, valueBytes: 8, maxEntries: 1024, flags: 0 })
    expect(maps.get('vnis')?.inner).toMatchObject({ type: mapTypes.array, keyBytes: 4, valueBytes: 12 })
    expect(maps.get('events')).toMatchObject({ type: mapTypes.ringBuffer, keyBytes: 0, valueBytes: 0 })
    expect(maps.get('sightings')).toMatchObject({ type: mapTypes.lruHash, keyBytes: 24, valueBytes: 32 })
  })

  test('programs get descriptors for maps, and functions that they share behind them', () => {
    const object = parseElf(file)
    const btf = new Btf(object)
    const maps = new Map(btf.maps().map(({ name }, index) => [name, 1000 + index]))
    const { instructions, functions } = linkProgram(object, btf, 'tcx/ingress', maps)
    const main = object.sections.find(({ name }) => name === 'tcx/ingress')!.bytes.length
    expect(instructions.length).toBeGreaterThan(main)
    expect(functions.map(({ offset }) => offset)).toEqual([0, expect.any(Number), expect.any(Number)])
    // Every map that the program refers to: 64-bit loads whose source register says "descriptor".
    const used = new Set<number>()
    const calls: number[] = []
    for (let at = 0; at < instructions.length; at += 8) {
      const [opcode, registers] = [instructions[at], instructions[at + 1]! >> 4]
      if (opcode === 0x18 && registers === 1) used.add(instructions.readInt32LE(at + 4))
      // Whatever is called or called back begins where the kernel was told that a function begins.
      if ((opcode === 0x18 && registers === 4) || (opcode === 0x85 && registers === 1)) calls.push(at + 8 + instructions.readInt32LE(at + 4) * 8)
      if (opcode === 0x18) at += 8
    }
    const fast = ['fanouts', 'fast', 'hand_overs', 'lists']
    expect([...used].sort()).toEqual([...maps].flatMap(([name, descriptor]) => (fast.includes(name) ? [] : [descriptor])).sort())
    expect(calls.length).toBeGreaterThan(2)
    expect(new Set(calls)).toEqual(new Set(functions.slice(1).map(({ offset }) => offset)))
    expect(linkProgram(object, btf, 'tcx/egress', maps).functions).toHaveLength(1)
    expect(() => linkProgram(object, btf, 'tcx/ingress', new Map())).toThrow(/refers to \w+, which is no map/)
  })

  test('the sizes that clang leaves open are filled in', () => {
    const object = parseElf(file)
    const completed = new Btf({
      ...object,
      sections: object.sections.map((one) => (one.name === '.BTF' ? { ...one, bytes: new Btf(object).completed() } : one)),
    })
    expect(completed.maps()).toEqual(new Btf(object).maps())
    expect(new Btf(object).completed().equals(object.sections.find(({ name }) => name === '.BTF')!.bytes)).toBe(false)
  })

  test('a file that is cut or altered is read or refused, and never anything else', () => {
    const faults = fc.record({ keep: fc.double({ min: 0, max: 1, noNaN: true }), at: fc.nat(file.length - 1), value: fc.nat(255) })
    fc.assert(
      fc.property(faults, ({ keep, at, value }) => {
        const bytes = Buffer.from(file.subarray(0, Math.round(file.length * (keep < 0.5 ? 1 : keep))))
        if (at < bytes.length) bytes[at] = value
        try {
          const object = parseElf(bytes)
          new Btf(object).maps()
          new Btf(object).completed()
          new Btf(object).functions()
        } catch (error) {
          if (!(error instanceof HoldfastError) || error.code !== 'bad-input') throw error
        }
      }),
      { numRuns: 300 },
    )
  })
})

test('what is no object at all is refused', () => {
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(200), readFileSync(process.execPath).subarray(0, 4096)]) {
    expect(() => parseElf(bytes)).toThrow(expect.objectContaining({ code: 'bad-input' }) as Error)
  }
})
