import { beforeEach, describe, expect, test } from 'vitest'
import type { FeedFrame } from '../../../core/contract/desktop/inventory.ts'
import { Inventory } from './inventory.svelte.ts'

const item = (reporter: string, kind: string, id: string, atMs: number, doc: object = {}) => ({ reporter, kind, id, atMs, doc: { ...doc } })
const snapshot = (...items: ReturnType<typeof item>[]): FeedFrame => ({ type: 'snapshot', rev: 1, nowMs: 0, items, sources: [] })

let inventory: Inventory
beforeEach(() => {
  inventory = new Inventory()
})

describe('inventory', () => {
  test('keeps each reporter’s copy, and gives the one changed last', () => {
    inventory.apply(snapshot(item('h1', 'host', 'h2', 5, { role: 'client' }), item('h3', 'host', 'h2', 9, { role: 'voter' })))
    expect(inventory.all('host')).toHaveLength(2)
    expect(inventory.get('host', 'h2')?.doc.role).toBe('voter')
  })

  test('a delta changes and removes one reporter’s copy alone', () => {
    inventory.apply(snapshot(item('h1', 'cluster', 'cluster', 1), item('h2', 'cluster', 'cluster', 1)))
    inventory.apply({
      type: 'delta',
      rev: 2,
      nowMs: 0,
      puts: [item('h1', 'cluster', 'cluster', 2, { leader: 'h1' })],
      dels: [{ reporter: 'h2', kind: 'cluster', id: 'cluster' }],
      sources: [],
    })
    expect(inventory.all('cluster').map(({ reporter, atMs }) => [reporter, atMs])).toEqual([['h1', 2]])
  })

  test('a snapshot replaces everything, kinds that it does not have too', () => {
    inventory.apply(snapshot(item('h1', 'nic', 'h1/mgmt', 1)))
    expect(inventory.all('nic')).toHaveLength(1)
    inventory.apply(snapshot(item('h1', 'disk', 'h1/sda', 1)))
    expect(inventory.all('nic')).toEqual([])
    expect(inventory.all('disk')).toHaveLength(1)
  })

  test('a kind that did not change keeps its very list', () => {
    inventory.apply(snapshot(item('h1', 'nic', 'h1/mgmt', 1), item('h1', 'disk', 'h1/sda', 1)))
    const nics = inventory.all('nic')
    inventory.apply({
      type: 'delta',
      rev: 2,
      nowMs: 0,
      puts: [item('h1', 'disk', 'h1/sda', 2)],
      dels: [{ reporter: 'h1', kind: 'nic', id: 'h1/none' }],
      sources: [],
    })
    expect(inventory.all('nic')).toBe(nics)
  })

  test('clearing makes it wait for the next snapshot', () => {
    inventory.apply(snapshot(item('h1', 'nic', 'h1/mgmt', 1)))
    inventory.clear()
    expect([inventory.loaded, inventory.all('nic').length]).toEqual([false, 0])
  })
})
