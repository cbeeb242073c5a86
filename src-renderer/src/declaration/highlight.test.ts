import fc from 'fast-check'
import { expect, test } from 'vitest'
import { tokensOf } from './highlight.ts'

test('a line of a declaration falls into keys, values and marks', () => {
  const kinds = tokensOf('  - {name: web-1, ip6: "fd00::1"} # first').map(({ kind, text }) => [kind, text.trim()])
  expect(kinds).toEqual([
    ['mark', '- {'],
    ['key', 'name'],
    ['mark', ':'],
    ['value', 'web-1'],
    ['mark', ','],
    ['key', 'ip6'],
    ['mark', ':'],
    ['value', '"fd00::1"'],
    ['mark', '}'],
    ['comment', '# first'],
  ])
})

test('addresses with colons are one value', () => {
  expect(tokensOf('mac: 0e:00:00:00:00:01').at(-1)).toEqual({ kind: 'value', text: '0e:00:00:00:00:01' })
})

test('the pieces of any line are the line', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[ \-{}[\]:,#"'a-z0-9]*$/)), (line) => {
      expect(
        tokensOf(line)
          .map(({ text }) => text)
          .join(''),
      ).toBe(line)
    }),
  )
})
