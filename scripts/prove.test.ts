import { expect, test } from 'vitest'
import type { Proof } from '../proofs/proof.ts'
import { commandOf, prove, resultPage } from './prove.ts'

const proof: Proof = { name: 'sum', title: 'Sums add up', kind: 'simulation', run: async ({ seed }) => ({ additions: seed }) }

test('a proof that holds answers its counts, its seed and its time', async () => {
  const outcome = await prove(proof, 'full', 7)
  expect(outcome).toMatchObject({ seed: 7, counts: { additions: 7 } })
  expect(outcome.error).toBeUndefined()
  const page = resultPage(proof, outcome, 'abc123', new Date('2026-01-02T03:04:05Z'))
  expect(page).toContain('# Sums add up')
  for (const row of ['| outcome | holds |', '| seed | 7 |', '| commit | abc123 |', '| date | 2026-01-02 |', '| additions | 7 |'])
    expect(page).toContain(row)
  expect(page).toContain('`npm run -s prove -- sum --seed 7`')
})

test('a proof that throws is disproven, says by what, and how to see it again', async () => {
  const broken: Proof = { ...proof, run: () => Promise.reject(new Error('2 + 2 was 5')) }
  const outcome = await prove(broken, 'small', 9)
  expect(outcome.error?.message).toBe('2 + 2 was 5')
  expect(resultPage(broken, outcome, 'abc123', new Date())).toContain('| outcome | **disproven**: 2 + 2 was 5 |')
  expect(commandOf(broken, 9, 'small')).toBe('npm run -s prove -- sum --seed 9 --small')
})
