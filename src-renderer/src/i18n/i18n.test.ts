import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { errorCodes } from '../../../core/errors.ts'
import { planes } from '../../../core/model/common.ts'
import { dropReasons } from '../../../core/model/trace.ts'
import { en } from './en.ts'
import { zh } from './zh.ts'

type Tree = { [key: string]: string | ((...parameters: never[]) => string) | Tree }

function leaves(tree: Tree, prefix = ''): [string, string | ((...parameters: never[]) => string)][] {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'object' ? leaves(value, `${prefix}${key}.`) : [[`${prefix}${key}`, value] as [string, typeof value]],
  )
}

/** Any parameters will do: the sentences only have to come out. */
const spoken = (value: string | ((...parameters: never[]) => string)): string =>
  typeof value === 'string' ? value : (value as (...parameters: unknown[]) => string)(2, 3, 1)

const english = new Map(leaves(en as unknown as Tree))
const chinese = new Map(leaves(zh as unknown as Tree))
/** Only other languages need these: English shows the reporter's own words. */
const translatedOnly = /^(eventType|errorCode|errorRemedy|dropHint)\./

const sources = readdirSync(path.join(import.meta.dirname, '..'), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(svelte|ts)$/.test(file) && !file.endsWith('.test.ts') && !/^i18n\/(en|zh)\.ts$/.test(file))
  .map((file) => readFileSync(path.join(import.meta.dirname, '..', file), 'utf8'))
  .join('\n')

describe('Chinese', () => {
  test('has a remedy for every reason of a drop', () => {
    expect(Object.keys(zh.dropHint).sort()).toEqual([...dropReasons].sort())
  })

  test('has every sentence that English has, and no other', () => {
    expect([...chinese.keys()].filter((key) => !translatedOnly.test(key)).sort()).toEqual([...english.keys()].sort())
  })

  test('is Chinese', () => {
    const same = new Set([
      'overview.cpu',
      'overview.heardBy',
      'hosts.cpu',
      'host.cpu',
      'host.mac',
      'host.mtu',
      'fact.peerRoute',
      'trace.about',
      'trace.named',
      'reach.joined',
    ])
    const foreign = [...chinese].filter(([key, value]) => !same.has(key) && !translatedOnly.test(key) && !/\p{Script=Han}/u.test(spoken(value)))
    expect(foreign.map(([key]) => key)).toEqual([])
  })

  test('takes the same parameters', () => {
    const differing = [...english].filter(
      ([key, value]) =>
        typeof value !== typeof chinese.get(key) || (typeof value === 'function' && value.length !== (chinese.get(key) as () => string).length),
    )
    expect(differing.map(([key]) => key)).toEqual([])
  })

  test('has a word and a remedy for every error code', () => {
    expect(Object.keys(zh.errorCode).sort()).toEqual(Object.keys(errorCodes).sort())
    expect(Object.keys(zh.errorRemedy).sort()).toEqual(Object.keys(errorCodes).sort())
  })

  test('says every event that it knows with what may be missing missing', () => {
    for (const [type, say] of Object.entries(zh.eventType)) {
      const event = { origin: 'h1', atMs: 0, severity: 'info' as const, type, message: '', about: [], data: {} }
      // Nothing at all is as good as a sentence: then the reporter's own is shown.
      expect(say(event)).toMatch(/^$|\p{Script=Han}/u)
      expect(
        say({ ...event, about: ['nic/h2/mgmt'], data: { leader: 'h2', culprit: 'h2', plane: 'storage', planes: ['mgmt', 'storage'], by: 'h1' } }),
      ).not.toMatch(/undefined|NaN(?! 秒)|\[object/)
    }
  })

  test('names several planes', () => {
    const event = {
      origin: 'h1',
      atMs: 0,
      severity: 'warning' as const,
      type: 'path-down',
      message: '',
      about: ['host/h2'],
      data: { culprit: 'h2', by: 'h1', planes: [...planes] },
    }
    expect(zh.eventType['path-down']!(event)).toBe('h1 在管理网、存储网、业务网上收不到 h2 的心跳')
  })
})

test('every sentence is used', () => {
  const isUsed = (key: string): boolean => {
    if (new RegExp(`\\bm\\.${key.replaceAll('.', '\\.')}\\b`).test(sources)) return true
    // A whole section looked up by a key that is known at run time.
    const section = key.slice(0, key.lastIndexOf('.'))
    return section !== '' && new RegExp(`\\bm\\.${section.replaceAll('.', '\\.')}(\\?\\.)?\\[`).test(sources)
  }
  expect([...english.keys()].filter((key) => !isUsed(key) && !translatedOnly.test(key) && !key.startsWith('units.'))).toEqual([])
})

test('no sentence shouts, begs or regrets', () => {
  const wrong = [...english, ...chinese].filter(
    ([key, value]) => !key.startsWith('eventType.') && /!|！|\b(please|oops|sorry)\b|抱歉|哎呀/i.test(spoken(value)),
  )
  expect(wrong.map(([key]) => key)).toEqual([])
})
