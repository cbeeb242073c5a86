import { expect, test } from 'vitest'
import { keyText } from './key-text.ts'

const press = (key: string, more: Partial<KeyboardEvent> = {}) => keyText({ key, ctrlKey: false, metaKey: false, altKey: false, ...more })

test.each([
  [press('k', { ctrlKey: true }), 'mod+k'],
  [press('K', { metaKey: true }), 'mod+k'],
  [press('?'), '?'],
  [press('G'), 'g'],
  [press('ArrowLeft', { altKey: true }), 'alt+ArrowLeft'],
])('%s', (text, expected) => {
  expect(text).toBe(expected)
})
