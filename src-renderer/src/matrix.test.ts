import { describe, expect, test } from 'vitest'
import type { Status } from '../../core/contract/desktop/inventory.ts'
import type { LiveState, Plane } from '../../core/model/index.ts'
import { heardOn, severityOf } from './matrix.ts'

type Row = Status['hosts'][number]
const row = (name: string, storage: Record<string, LiveState>, state: LiveState = 'up'): Row => ({
  name,
  state,
  planes: { storage },
  agent: { version: null, modules: {} },
})
const status = (...hosts: Row[]): Pick<Status, 'hosts'> => ({ hosts })
const on = 'storage' as Plane

describe('how the others hear a host', () => {
  const cut = status(row('h1', { h2: 'down', h3: 'up' }), row('h2', { h1: 'down', h3: 'down' }), row('h3', { h1: 'up', h2: 'down' }))

  test('the host whose link is cut is down', () => {
    expect(heardOn(cut, 'h2', on)).toMatchObject({ state: 'down', up: 0, all: 2 })
  })

  test('what the deaf host says does not make its peers degraded, but is counted', () => {
    expect(heardOn(cut, 'h1', on)).toMatchObject({ state: 'up', up: 1, all: 2 })
  })

  test('heard by one and not by another that hears: degraded', () => {
    const partial = status(row('h1', { h2: 'up', h3: 'up' }), row('h2', { h1: 'up', h3: 'up' }), row('h3', { h1: 'up', h2: 'down' }))
    expect(heardOn(partial, 'h2', on).state).toBe('degraded')
  })

  test('with two hosts nobody can tell whose link it is: both are down', () => {
    const two = status(row('h1', { h2: 'down' }), row('h2', { h1: 'down' }))
    expect([heardOn(two, 'h1', on).state, heardOn(two, 'h2', on).state]).toEqual(['down', 'down'])
  })

  test('nobody tells: unknown; nobody listens: an empty cell', () => {
    expect(heardOn(status(row('h1', { h2: 'unknown' }), row('h2', {})), 'h2', on).state).toBe('unknown')
    expect(heardOn(status(row('h1', {}), row('h2', {})), 'h2', on).all).toBe(0)
  })

  test('the worst row comes first', () => {
    const order = cut.hosts.toSorted((a, b) => severityOf(cut, a) - severityOf(cut, b)).map(({ name }) => name)
    expect(order[0]).toBe('h2')
    const dead = status(...cut.hosts, row('h4', {}, 'down'))
    expect(dead.hosts.toSorted((a, b) => severityOf(dead, a) - severityOf(dead, b))[0]!.name).toBe('h4')
  })
})
