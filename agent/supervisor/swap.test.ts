import { describe, expect, test } from 'vitest'
import { advance, begin, effectOf, recover, serving, type Effect, type Instance, type ModuleRecord, type Outcome } from './swap.ts'

/** Processes of a module as the world has them; none of this is lost when the supervisor dies. */
class World {
  readonly processes = new Map<number, { version: string; activity: 'standby' | 'active' | 'released' }>()
  mostActive = 0
  journal: ModuleRecord

  constructor(record: ModuleRecord) {
    this.journal = record
    this.start(record.current, 'active')
  }

  start({ version, generation }: Instance, activity: 'standby' | 'active') {
    this.processes.set(generation, { version, activity })
    this.count()
  }

  set({ generation }: Instance, activity: 'active' | 'released') {
    const running = this.processes.get(generation)
    if (running) running.activity = activity
    this.count()
  }

  active = () => [...this.processes.values()].filter((running) => running.activity === 'active')

  count() {
    this.mostActive = Math.max(this.mostActive, this.active().length)
  }
}

/** Thrown where the supervisor is killed. */
class Killed extends Error {}

/** Chooses, for the n-th choice of a run, one of several; runs are enumerated like the digits of a counter. */
class Choices {
  readonly path: number[]
  readonly widths: number[] = []
  constructor(path: number[]) {
    this.path = path
  }
  pick(width: number): number {
    const index = this.widths.length
    this.widths.push(width)
    return this.path[index] ?? 0
  }
  /** The next path to walk, or null when all were. */
  next(): number[] | null {
    const path = this.widths.map((_, index) => this.path[index] ?? 0)
    for (let index = path.length - 1; index >= 0; index--) {
      if (path[index]! + 1 < this.widths[index]!) return [...path.slice(0, index), path[index]! + 1]
    }
    return null
  }
}

/** The small steps that an effect consists of, in the order in which the supervisor takes them. */
function steps(world: World, effect: Effect): (() => void)[] {
  switch (effect.do) {
    case 'start-standby':
      return [() => world.start(effect.instance, 'standby')]
    case 'hand-over':
      return [() => world.set(effect.from, 'released'), () => world.set(effect.to, 'active')]
    case 'prove':
      return []
    case 'end-and-reactivate':
      return [
        () => world.processes.delete(effect.end.generation),
        () => (world.processes.has(effect.activate.generation) ? world.set(effect.activate, 'active') : world.start(effect.activate, 'active')),
      ]
    case 'end':
      return [() => world.processes.delete(effect.instance.generation)]
  }
}

/** One life of a supervisor: drives the record to steady, unless it is killed. Kills cost from a budget that the run shares. */
function supervise(world: World, choices: Choices, budget: { kills: number; failures: number }) {
  const mayDie = () => {
    if (budget.kills > 0 && choices.pick(2) === 1) {
      budget.kills--
      throw new Killed()
    }
  }
  let record = world.journal
  for (;;) {
    const effect = effectOf(record)
    if (!effect) return
    let outcome: Outcome = { ok: true }
    for (const step of steps(world, effect)) {
      mayDie()
      if (budget.failures > 0 && effect.do !== 'end' && effect.do !== 'end-and-reactivate' && choices.pick(2) === 1) {
        budget.failures--
        outcome = { ok: false, reason: 'chosen' }
        break
      }
      step()
    }
    if (effect.do === 'prove' && budget.failures > 0 && choices.pick(2) === 1) {
      budget.failures--
      // The candidate crashed while it was watched.
      if (choices.pick(2) === 1) world.processes.delete(effect.instance.generation)
      outcome = { ok: false, reason: 'chosen' }
    }
    mayDie()
    record = advance(record, outcome)
    world.journal = structuredClone(record)
    mayDie()
  }
}

describe('a swap', () => {
  test('killed at every point, up to three times, with the candidate failing anywhere, ends in the old or the new version, acting alone', () => {
    const ends = new Map<string, number>()
    let path: number[] | null = []
    let runs = 0
    while (path) {
      const choices: Choices = new Choices(path)
      const world = new World({ current: { version: 'old', generation: 1 } })
      const budget = { kills: 3, failures: 1 }
      world.journal = begin(world.journal, 'new', 2)
      for (;;) {
        try {
          supervise(world, choices, budget)
          break
        } catch (thrown) {
          if (!(thrown instanceof Killed)) throw thrown
          world.journal = recover(world.journal)
        }
      }
      const { journal } = world
      expect(journal.swap, String(path)).toBeUndefined()
      expect([...world.processes], String(path)).toEqual([[journal.current.generation, { version: journal.current.version, activity: 'active' }]])
      expect(world.mostActive, String(path)).toBe(1)
      expect(serving(journal)).toEqual(journal.current)
      if (journal.current.version === 'new') expect(journal.previousVersion).toBe('old')
      ends.set(journal.current.version, (ends.get(journal.current.version) ?? 0) + 1)
      runs++
      path = choices.next()
    }
    expect(runs).toBeGreaterThan(500)
    expect([...ends.keys()].sort()).toEqual(['new', 'old'])
  })

  test('undisturbed, ends in the new version and remembers the old', () => {
    let record = begin({ current: { version: 'old', generation: 1 } }, 'new', 2)
    const seen: string[] = []
    for (let effect = effectOf(record); effect; effect = effectOf(record)) {
      seen.push(effect.do)
      record = advance(record, { ok: true })
    }
    expect(seen).toEqual(['start-standby', 'hand-over', 'prove', 'end'])
    expect(record).toEqual({ current: { version: 'new', generation: 2 }, previousVersion: 'old' })
  })

  test('says why it was undone', () => {
    const record = advance(begin({ current: { version: 'old', generation: 1 } }, 'new', 2), { ok: false, reason: 'unwell' })
    expect(record.swap).toMatchObject({ phase: 'undoing', reason: 'unwell' })
    expect(advance(record, { ok: true })).toEqual({ current: { version: 'old', generation: 1 } })
  })
})
