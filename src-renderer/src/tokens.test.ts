import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'

const css = readFileSync(path.join(import.meta.dirname, 'tokens.css'), 'utf8')
const themes = Object.fromEntries(
  [...css.matchAll(/\[data-theme='(\w+)'\] \{([^}]+)\}/g)].map(([, name, body]) => [
    name!,
    Object.fromEntries([...body!.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, token, colour]) => [token!, colour!])),
  ]),
)

/** What text stands on. */
const grounds = ['canvas', 'surface', 'raised', 'hover', 'selected']
/** What text is written in, on any of the grounds. */
const inks = ['text', 'dim', 'faint', 'accent', 'up', 'degraded', 'down', 'unknown', 'warning']
/** Text on filled buttons. */
const fills = ['fill', 'fill-hover', 'danger-fill', 'danger-fill-hover']
/** Lines of charts and edges of fields: they only have to be seen. */
const lines = ['chart-1', 'chart-2', 'accent']

/** Relative luminance and contrast as WCAG 2.2 defines them. */
function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const channel = parseInt(colour.slice(at, at + 2), 16) / 255
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number]
  return (light + 0.05) / (dark + 0.05)
}

const sources = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(svelte|ts)$/.test(file) && !file.endsWith('.test.ts'))
  .map((file) => readFileSync(path.join(import.meta.dirname, file), 'utf8'))
  .join('\n')

describe.each(Object.entries(themes))('theme %s', (_name, tokens) => {
  test.each(inks.flatMap((ink) => grounds.map((ground) => [ink, ground] as const)))('%s on %s is 4.5:1 or more', (ink, ground) => {
    expect(contrast(tokens[ink]!, tokens[ground]!)).toBeGreaterThanOrEqual(4.5)
  })
  test.each(fills)('text on %s is 4.5:1 or more', (fill) => {
    expect(contrast(tokens['on-fill']!, tokens[fill]!)).toBeGreaterThanOrEqual(4.5)
  })
  test.each(lines.flatMap((line) => grounds.map((ground) => [line, ground] as const)))('%s is seen on %s, 3:1 or more', (line, ground) => {
    expect(contrast(tokens[line]!, tokens[ground]!)).toBeGreaterThanOrEqual(3)
  })
})

test('the three themes have the same tokens', () => {
  expect(Object.keys(themes).sort()).toEqual(['contrast', 'dark', 'light'])
  for (const tokens of Object.values(themes)) expect(Object.keys(tokens)).toEqual(Object.keys(themes.dark!))
})

test('every colour that text is written in, and every ground it is written on, is one of those checked', () => {
  const checkedInks = new Set([...inks, 'on-fill', 'current', 'transparent'])
  const used = new Set(
    [...sources.matchAll(/\btext-([a-z]+(?:-[a-z]+)*)(?=[\s"'`}])/g)]
      .map((match) => match[1]!)
      .filter((name) => name in themes.dark! || /^(red|green|gray|black|white)/.test(name)),
  )
  expect([...used].filter((name) => !checkedInks.has(name))).toEqual([])
  const checkedGrounds = new Set([...grounds, ...fills, 'transparent'])
  const bars = new Set(['line', 'line-strong', 'accent', 'chart-1', 'chart-2', 'warning', 'up', 'current'])
  const laid = new Set([...sources.matchAll(/(?<![\w-])bg-([a-z]+(?:-[a-z0-9]+)*)(?=[\s"'`}/])/g)].map((match) => match[1]!))
  expect([...laid].filter((name) => !checkedGrounds.has(name) && !bars.has(name))).toEqual([])
})

test('no colour is written but as a token', () => {
  expect(sources.match(/#[0-9a-fA-F]{6}\b|\b(?:bg|text|border)-\[#/g)).toBeNull()
})
