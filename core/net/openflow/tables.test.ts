import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { at, keyWords } from './fields.ts'
import type { Flow } from './flow.ts'
import { parseMatch } from './match.ts'
import { FlowTables } from './tables.ts'

const flow = (priority: number, match: string, table = 0): Flow => ({ table, priority, cookie: '0x1', match, actions: `output:${priority + 1}` })

const parts = fc.subarray([
  'reg0=1',
  'reg0=0x2/0x2',
  'reg1=1',
  'reg1=0x0/0x1',
  'in_port=1',
  'tun_id=1',
  'xreg1=0x100000001',
  'dl_src=02:00:00:00:00:01',
])
const matches = parts.map((list) =>
  list.filter((part, index) => list.findIndex((other) => other.slice(0, 4) === part.slice(0, 4)) === index).join(','),
)
const keys = fc
  .record({ reg0: fc.nat(3), reg1: fc.nat(1), reg2: fc.nat(1), reg3: fc.nat(1), inPort: fc.nat(2), tunId: fc.nat(1), mac: fc.boolean() })
  .map((fields) => {
    const key = new Uint32Array(keyWords)
    key.set([fields.reg0, fields.reg1, fields.reg2, fields.reg3], at.registers)
    key[at.inPort] = fields.inPort
    key[at.tunId + 1] = fields.tunId
    if (fields.mac) key.set([0x0200, 1], at.ethSrc)
    return key
  })

describe('flow tables', () => {
  it('find what a search through all flows finds', () => {
    fc.assert(
      fc.property(fc.array(matches, { maxLength: 30 }), keys, (list, key) => {
        const flows = list.map((match, index) => flow(index, match))
        const wanted = flows.findLast(({ match }) => parseMatch(match).every(({ word, mask, value }) => (key[word]! & mask) >>> 0 === value))
        expect(new FlowTables(flows).find(0, key)).toBe(wanted ?? null)
      }),
      { numRuns: 500 },
    )
  })

  it('keep tables apart, and have none where there are no flows', () => {
    const tables = new FlowTables([flow(1, ''), flow(2, '', 7)])
    const key = new Uint32Array(keyWords)
    expect(tables.find(0, key)?.priority).toBe(1)
    expect(tables.find(7, key)?.priority).toBe(2)
    expect(tables.find(3, key)).toBeNull()
  })

  it('take the last of equal flows', () => {
    const [first, last] = [flow(5, 'reg0=0'), { ...flow(5, 'reg0=0'), actions: 'drop' }]
    expect(new FlowTables([first, last]).find(0, new Uint32Array(keyWords))).toBe(last)
  })

  it('say that a table cannot be understood when it is asked, not before', () => {
    const tables = new FlowTables([flow(1, 'conj_id=1', 3), flow(1, '')])
    expect(tables.find(0, new Uint32Array(keyWords))).not.toBeNull()
    expect(() => tables.find(3, new Uint32Array(keyWords))).toThrow(expect.objectContaining({ code: 'not-supported' }))
  })

  it('find ports of all masks among thousands of flows', () => {
    const flows = Array.from({ length: 5000 }, (_, index) => flow(10 + (index % 7), `tcp,tp_dst=${index},reg0=${index % 5}`))
    const tables = new FlowTables([...flows, flow(1, 'tcp,tp_dst=0x1000/0xf000')])
    const key = new Uint32Array(keyWords)
    key.set([0x0800], at.etherType)
    key.set([6], at.protocol)
    for (const [port, reg0, found] of [
      [4321, 1, 10 + (4321 % 7)],
      [4321, 0, 1],
      [20_000, 0, undefined],
    ] as const) {
      key[at.l4Dst] = port
      key[at.registers] = reg0
      expect(tables.find(0, key)?.priority).toBe(found)
    }
  })
})
