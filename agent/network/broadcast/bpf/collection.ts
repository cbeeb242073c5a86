import { closeSync, readFileSync } from 'node:fs'
import { HoldfastError } from '../../../../core/errors.ts'
import { Btf, type MapDefinition } from './btf.ts'
import { parseElf } from './elf.ts'
import { BpfMap, createMap, mapInfo } from './map.ts'
import type { Pins } from './pins.ts'
import { linkProgram, loadBtf, loadProgram } from './program.ts'

/** An object in the kernel: its maps, pinned by their names, and those of its programs that are wanted. */
export interface Collection extends Disposable {
  maps: ReadonlyMap<string, BpfMap>
  /** Loads the program in a section; answers its descriptor, which is closed with the collection. Throws as `loadProgram`. */
  load(section: string): number
}

/**
 * Loads an object file. Maps that are pinned already are taken over with all that they hold; the others are made, and pinned. Throws
 * `not-supported` with the reason `object-mismatch` where a pinned map is not as the object declares it.
 */
export function loadCollection(file: Buffer, pins: Pins): Collection {
  const object = parseElf(file)
  const btf = new Btf(object)
  const cpus = possibleCpus()
  const opened = new Map<string, BpfMap>()
  const descriptors: number[] = []
  const dispose = (): void => {
    for (const map of opened.values()) map[Symbol.dispose]()
    for (const descriptor of descriptors) closeSync(descriptor)
  }
  try {
    for (const definition of btf.maps()) opened.set(definition.name, openMap(definition, pins, cpus))
    const types = loadBtf(btf)
    descriptors.push(types)
    const maps = new Map([...opened].map(([name, { descriptor }]) => [name, descriptor]))
    const load = (section: string): number => {
      const descriptor = loadProgram({ object, section, program: linkProgram(object, btf, section, maps), btf: types })
      descriptors.push(descriptor)
      return descriptor
    }
    return { maps: opened, load, [Symbol.dispose]: dispose }
  } catch (error) {
    dispose()
    throw error
  }
}

function openMap(definition: MapDefinition, pins: Pins, cpus: number): BpfMap {
  const { name } = definition
  const pinned = pins.get(name)
  if (pinned === null) {
    const map = createMap(definition, cpus)
    pins.pin(name, map.descriptor)
    return map
  }
  const found = mapInfo(pinned)
  const differing = (['type', 'keyBytes', 'valueBytes', 'maxEntries', 'flags'] as const).find((field) => found[field] !== definition[field])
  if (differing === undefined) return new BpfMap(pinned, definition, cpus)
  closeSync(pinned)
  throw new HoldfastError(
    'not-supported',
    `The pinned map ${name} is of another version: its ${differing} is ${found[differing]}, not ${definition[differing]}`,
    'Remove the replicator of that version first: broadcast stands still until this one has its members.',
    { reason: 'object-mismatch', map: name },
  )
}

/** CPUs that may ever be there, such as `0-7`: as many values has an entry of a map per CPU. */
export function possibleCpus(text = readFileSync('/sys/devices/system/cpu/possible', 'utf8')): number {
  return Math.max(...text.trim().split(/[,-]/).map(Number)) + 1
}
