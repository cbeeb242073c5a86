import { expect, test } from 'vitest'
import { nearest } from './nearest.ts'

test.each([
  ['gatway', 'gateway'],
  ['gateways', 'gateway'],
  ['vai', 'via'],
  ['tto', 'to'],
  ['gateway66', 'gateway6'],
  ['x', null],
  ['frobnicate', null],
  ['', null],
])('%s was probably meant to be %s', (typed, meant) => {
  expect(nearest(typed, ['name', 'subnet', 'subnet6', 'gateway', 'gateway6', 'to', 'via'])).toBe(meant)
})
