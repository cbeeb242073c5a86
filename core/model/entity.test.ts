import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { z } from 'zod'
import { arbitraryOf } from './arbitrary.ts'
import {
  auditSchema,
  entityKinds,
  entitySchemas,
  linkSchema,
  macSchema,
  nameSchema,
  parseEntity,
  sampleSchema,
  switchSchema,
  taskSchema,
  wallMsSchema,
} from './index.ts'

const schemas: [string, z.ZodType][] = [
  ...Object.entries(entitySchemas),
  ['sample', sampleSchema],
  ['task', taskSchema],
  ['audit', auditSchema],
  ['switch', switchSchema],
  ['link', linkSchema],
]
const overTheWire = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe.each(schemas)('%s', (_, schema) => {
  it('survives encode and decode, with fields that this version does not know, at every depth', () => {
    fc.assert(fc.property(arbitraryOf(schema), (doc) => void expect(schema.parse(overTheWire(doc))).toEqual(doc)))
  })
})

it('the property above covers unknown fields at every depth', () => {
  const schema = entitySchemas.host
  const docs = fc.sample(arbitraryOf(schema) as fc.Arbitrary<z.infer<typeof schema>>, { numRuns: 200, seed: 1 })
  const unknownIn = (object: object, known: object): boolean => Object.keys(object).some((name) => !Object.hasOwn(known, name))
  expect(docs.some((doc) => unknownIn(doc, schema.shape))).toBe(true)
  expect(docs.some((doc) => unknownIn(doc.addresses, schema.shape.addresses.shape))).toBe(true)
})

describe('an entity', () => {
  const envelope = fc
    .constantFrom(...entityKinds)
    .chain((kind) =>
      fc.record({ kind: fc.constant(kind), id: fc.string(), atMs: fc.nat(), doc: arbitraryOf(entitySchemas[kind]), newer: fc.jsonValue() }),
    )

  it('of a known kind keeps its envelope and its document whole', () => {
    fc.assert(fc.property(envelope, (entity) => void expect(parseEntity(overTheWire(entity))).toEqual(overTheWire(entity))))
  })

  it.each(['vm', 'toString', '__proto__', 'constructor', ''])('of the unknown kind %j is null', (kind) => {
    expect(parseEntity({ kind, id: 'x', atMs: 1, doc: {} })).toBeNull()
  })

  it('whose document lost a field is null', () => {
    fc.assert(
      fc.property(envelope, fc.nat(), (entity, pick) => {
        const required = Object.entries(entitySchemas[entity.kind].shape).flatMap(([name, field]) =>
          field.def.type === 'optional' || field.def.type === 'default' ? [] : [name],
        )
        const { [required[pick % required.length]!]: _, ...rest } = entity.doc as Record<string, unknown>
        expect(parseEntity({ ...entity, doc: rest })).toBeNull()
      }),
    )
  })

  it('whose document is of before it had a field gets that field’s default', () => {
    const network = { name: 'web', vpc: 'shop', vni: 7, subnet: '10.20.1.0/24', tunnel: 'vxlan', mtuBytes: 1450 }
    expect(parseEntity({ kind: 'network', id: 'web', atMs: 1, doc: network })?.doc).toEqual({ ...network, broadcast: 'cluster+garp' })
  })

  it('that is anything at all never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.anything(), fc.record({ kind: fc.constantFrom(...entityKinds), id: fc.anything(), atMs: fc.anything(), doc: fc.anything() })),
        (raw) => void parseEntity(raw),
      ),
    )
  })
})

it.each([
  [nameSchema, 'h1', true],
  [nameSchema, 'a'.repeat(63), true],
  [nameSchema, 'a'.repeat(64), false],
  [nameSchema, 'H1', false],
  [nameSchema, '-h', false],
  [nameSchema, 'h-', false],
  [nameSchema, '', false],
  [nameSchema, 'h1\n', false],
  [nameSchema, '../h1', false],
  [macSchema, '02:00:00:00:00:01', true],
  [macSchema, '02:00:00:00:00:0A', false],
  [macSchema, '02:00:00:00:00', false],
  [wallMsSchema, 0, true],
  [wallMsSchema, -1, false],
  [wallMsSchema, 1.5, false],
  [wallMsSchema, Number.NaN, false],
])('%# %o is valid: %s', (schema, value, valid) => {
  expect(schema.safeParse(value).success).toBe(valid)
})
