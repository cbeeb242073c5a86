import { describe, expect, test } from 'vitest'
import { planLocalMember } from './local-member.ts'
import type { StoreMember } from '../store/store.ts'

const url = (host: string) => `https://${host}:2380`
const member = (name: string, more: Partial<StoreMember> = {}): StoreMember => ({
  id: name,
  name,
  peerUrls: [url(name)],
  clientUrls: [],
  learner: false,
  ...more,
})
const base = {
  running: false,
  hasData: false,
  founding: false,
  name: 'h2',
  peerUrl: url('h2'),
  members: [member('h1'), member('h3')] as StoreMember[] | null,
}
const unstarted = member('h2', { name: '', learner: true })

describe('what to do about the member of this host', () => {
  test.each<[string, Partial<typeof base>, string]>([
    ['it runs', { running: true, hasData: true, members: null }, 'nothing'],
    ['the first of a new cluster', { founding: true, members: null }, 'start'],
    ['a client host', {}, 'nothing'],
    ['it was added', { members: [member('h1'), unstarted] }, 'start'],
    ['it was added, but data of an earlier membership lies here', { hasData: true, members: [member('h1'), unstarted] }, 'wipe'],
    ['it was removed', { hasData: true }, 'wipe'],
    ['it ended, and the others count on it', { hasData: true, members: [member('h1'), member('h2')] }, 'start'],
    ['it lost its data: it has forgotten its votes and must not come back as itself', { members: [member('h1'), member('h2')] }, 'nothing'],
    ['nobody can be asked, as when all start at once', { hasData: true, members: null }, 'start'],
    ['nobody can be asked and nothing lies here', { members: null }, 'nothing'],
  ])('%s', (_, options, expected) => {
    expect(planLocalMember({ ...base, ...options }).do).toBe(expected)
  })

  test('a new member starts with everybody, itself by name', () => {
    expect(planLocalMember({ ...base, members: [member('h1'), unstarted] })).toEqual({
      do: 'start',
      birth: { state: 'existing', initialCluster: [`h1=${url('h1')}`, `h2=${url('h2')}`] },
    })
  })
})
