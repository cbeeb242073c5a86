import fc from 'fast-check'
import type { z } from 'zod'

/** What of a schema's definition (zod 4, `schema.def`) is read here. */
interface Definition {
  type: string
  format?: string
  pattern?: RegExp
  checks?: { _zod: { def: { check: string; format?: string; pattern?: RegExp; value?: number; inclusive?: boolean; maximum?: number } } }[]
  shape?: Record<string, z.ZodType>
  catchall?: z.ZodType
  element?: z.ZodType
  keyType?: z.ZodType
  valueType?: z.ZodType
  innerType?: z.ZodType
  options?: z.ZodType[]
  entries?: Record<string, string>
  values?: unknown[]
  items?: z.ZodType[]
}

/**
 * Any document that a schema allows, for property tests: a kind that is added to the model is covered by them from the start. Loose objects
 * get fields that the schema does not know, as a newer agent would send them. Everything survives JSON.
 */
export function arbitraryOf(schema: z.ZodType): fc.Arbitrary<unknown> {
  const known = made.get(schema)
  if (known) return known
  const arbitrary = make(schema)
  made.set(schema, arbitrary)
  return arbitrary
}

/** Those that were made: a regular expression takes long to be read, and many documents have the same in them. */
const made = new WeakMap<z.ZodType, fc.Arbitrary<unknown>>()

function make(schema: z.ZodType): fc.Arbitrary<unknown> {
  const definition = schema.def as unknown as Definition
  switch (definition.type) {
    case 'string':
      return stringOf(definition)
    case 'number':
      return numberOf(definition)
    case 'boolean':
      return fc.boolean()
    case 'unknown':
      return json
    case 'literal':
      return fc.constantFrom(...definition.values!)
    case 'enum':
      return fc.constantFrom(...Object.values(definition.entries!))
    case 'nullable':
      return fc.option(arbitraryOf(definition.innerType!))
    // What is left out comes back with its default: only what is there survives as it is.
    case 'default':
      return arbitraryOf(definition.innerType!)
    case 'union':
      return fc.oneof(...definition.options!.map(arbitraryOf))
    case 'tuple':
      return fc.tuple(...definition.items!.map(arbitraryOf))
    case 'array':
      return fc.array(arbitraryOf(definition.element!), { maxLength: 4 })
    case 'record':
      return fc.dictionary(arbitraryOf(definition.keyType!) as fc.Arbitrary<string>, arbitraryOf(definition.valueType!), {
        maxKeys: 4,
        noNullPrototype: true,
      })
    case 'object':
      return objectOf(definition)
    default:
      throw new Error(`No arbitrary for zod's ${definition.type}: add it here`)
  }
}

/** `__proto__` as a key is dropped by zod on purpose. */
const key = fc.string({ maxLength: 12 }).filter((text) => text !== '__proto__')
/** Any JSON; -0 is left out since JSON has no such number. */
const json = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value).replaceAll('__proto__', 'proto')) as unknown)

/** fast-check also gives forms with a dotted end, which zod refuses after a full-length head. */
const ipv6 = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.map((group) => group.toString(16)).join(':'))

function stringOf({ format, pattern, checks = [] }: Definition): fc.Arbitrary<string> {
  if (format === 'ipv4') return fc.ipV4()
  if (format === 'ipv6') return ipv6
  if (format === 'cidrv4') return fc.tuple(fc.ipV4(), fc.nat(32)).map(([ip, length]) => `${ip}/${length}`)
  if (format === 'cidrv6') return fc.tuple(ipv6, fc.nat(128)).map(([ip, length]) => `${ip}/${length}`)
  if (format === 'datetime')
    return fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(253_402_300_799_999) }).map((date) => date.toISOString())
  const definitions = checks.map((check) => check._zod.def)
  const regex = pattern ?? definitions.find((check) => check.pattern)?.pattern
  if (regex) return fc.stringMatching(regex)
  return key.map((text) => text.slice(0, definitions.find((check) => check.check === 'max_length')?.maximum))
}

function numberOf({ checks = [] }: Definition): fc.Arbitrary<number> {
  const definitions = checks.map((check) => check._zod.def)
  const integer = definitions.some((check) => check.check === 'number_format')
  const bound = (name: string): number | undefined => {
    const found = definitions.find((check) => check.check === name)
    return found && (found.inclusive ? found.value! : found.value! + (name === 'greater_than' ? 1 : -1))
  }
  const [min, max] = [bound('greater_than'), bound('less_than')]
  if (integer) return fc.integer({ min: min ?? Number.MIN_SAFE_INTEGER, max: max ?? Number.MAX_SAFE_INTEGER })
  return fc.double({ noNaN: true, noDefaultInfinity: true, min: min ?? -1e300, max: max ?? 1e300 }).map((value) => value + 0 || 0)
}

function objectOf({ shape, catchall }: Definition): fc.Arbitrary<Record<string, unknown>> {
  const fields: Record<string, fc.Arbitrary<unknown>> = {}
  const required: string[] = []
  for (const [name, field] of Object.entries(shape!)) {
    const definition = field.def as unknown as Definition
    if (definition.type !== 'optional') required.push(name)
    fields[name] = arbitraryOf(definition.type === 'optional' ? definition.innerType! : field)
  }
  const known = fc.record(fields, { requiredKeys: required, noNullPrototype: true })
  const extra =
    catchall?.def.type === 'unknown' ? fc.dictionary(key, json, { maxKeys: 2, noNullPrototype: true }) : fc.constant<Record<string, unknown>>({})
  return fc.tuple(extra, known).map(([unknown, doc]) => {
    const merged: Record<string, unknown> = { ...unknown, ...doc }
    // An optional field that was left out must not come back with any value.
    for (const name of Object.keys(shape!)) if (!Object.hasOwn(doc, name)) delete merged[name]
    return merged
  })
}
