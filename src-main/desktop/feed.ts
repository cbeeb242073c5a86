import type { FeedFrame } from '../../core/contract/desktop/inventory.ts'
import type { Sample } from '../../core/model/sample.ts'
import type { Task } from '../../core/model/task.ts'
import type { Context, Contexts } from '../contexts/contexts.ts'
import type { Inventory } from '../inventory/inventory.ts'
import type { Report } from '../inventory/merge.ts'
import type { TaskCentre } from '../tasks/task-centre.ts'
import type { Live } from './live.ts'
import { Signal } from './signal.ts'

/** A frame comes at least this often: the age of what is shown goes on. */
const periodMs = 1000
/** Changes that come close together go out together. */
const gatherMs = 30
/** A window that is this many objects behind gets a new snapshot instead. */
const maxWaiting = 50_000
const maxWaitingSamples = 10_000
const eventsAtStart = 2000
/** What a window shows first comes in the snapshot; the many small parts of hosts follow in deltas of this many, so that it need not wait for them. */
const firstKinds = ['cluster', 'member', 'host', 'facts', 'module']
const chunk = 5000

type Item = Extract<FeedFrame, { type: 'snapshot' }>['items'][number]
type Del = Extract<FeedFrame, { type: 'delta' }>['dels'][number]

export interface FeedServices {
  inventory: Inventory
  contexts: Pick<Contexts, 'current'>
  live: Live
  tasks: TaskCentre
}

/**
 * What a window lives on: all of the current context, then what changes. Follows the context when another one becomes current, with a
 * new snapshot. What waits for a slow window is bounded by the number of objects, since a later change of one replaces an earlier one.
 */
export async function* feed(services: FeedServices, signal: AbortSignal | undefined): AsyncGenerator<FeedFrame, void, undefined> {
  const { inventory, contexts, live, tasks } = services
  const waiting = new Map<string, { put: Item } | { del: Del }>()
  const wake = new Signal()
  let context = null as Context | null
  let rev = 0
  let fresh = true

  const add = (key: string, change: { put: Item } | { del: Del }) => {
    if (waiting.size >= maxWaiting) fresh = true
    else waiting.set(key, change)
    wake.set()
  }
  using _changes = inventory.onChange((change) => {
    if (change.context !== context?.name) return
    const reporter = change.host
    for (const { kind, id, atMs, doc } of change.puts) add(`${reporter}/${kind}/${id}`, { put: { reporter, kind, id, atMs, doc } })
    for (const { kind, id } of change.dels) add(`${reporter}/${kind}/${id}`, { del: { reporter, kind, id } })
  })
  using _tasks = tasks.onChange((task) => add(`laptop/task/${task.id}`, { put: itemOfTask(task) }))
  using _corrupt = inventory.onCorrupt(() => {
    fresh = true
    wake.set()
  })

  while (!signal?.aborted) {
    const current = contexts.current()
    if (current) live.follow(current)
    if (current?.name !== context?.name) fresh = true
    context = current
    const sources = context ? await live.sources(context.name) : []
    const head = { rev: ++rev, nowMs: Date.now(), sources }
    if (fresh) {
      fresh = false
      // Changes from here on are told after the snapshot; one that is in it already is told twice, which does no harm.
      waiting.clear()
      yield { type: 'snapshot', ...head, items: await first(inventory, context) }
      const more = await rest(services, context)
      for (let start = 0; start < more.length && !fresh; start += chunk) {
        yield { type: 'delta', ...head, rev: ++rev, puts: more.slice(start, start + chunk), dels: [] }
      }
    } else {
      const changes = [...waiting.values()]
      waiting.clear()
      yield {
        type: 'delta',
        ...head,
        puts: changes.flatMap((change) => ('put' in change ? [change.put] : [])),
        dels: changes.flatMap((change) => ('del' in change ? [change.del] : [])),
      }
    }
    await wake.wait(periodMs, gatherMs, signal)
  }
}

async function first(inventory: Inventory, context: Context | null): Promise<Item[]> {
  return context ? (await inventory.reports(context.name, { only: firstKinds })).map(itemOf) : []
}

async function rest({ inventory, tasks }: FeedServices, context: Context | null): Promise<Item[]> {
  const reports = context
    ? [...(await inventory.reports(context.name, { except: [...firstKinds, 'event'] })), ...(await inventory.events(context.name, eventsAtStart))]
    : []
  return [...reports.map(itemOf), ...(await tasks.list()).map(itemOfTask)]
}

function itemOf({ reporter, kind, id, atMs, doc }: Report): Item {
  return { reporter, kind, id, atMs, doc }
}

function itemOfTask(task: Task): Item {
  return { reporter: 'laptop', kind: 'task', id: task.id, atMs: task.startedAtMs, doc: { ...task } }
}

/** Stored samples of a host later than a time, in batches, then live ones. */
export async function* samples(
  inventory: Inventory,
  context: string,
  host: string,
  sinceMs: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Sample[], void, undefined> {
  const batch = 3600
  const wake = new Signal()
  let live: Sample[] = []
  let lastMs = sinceMs
  using _samples = inventory.onSamples((ofContext, ofHost, fresh) => {
    if (ofContext !== context || ofHost !== host) return
    live.push(...fresh)
    if (live.length > maxWaitingSamples) live = live.slice(-maxWaitingSamples)
    wake.set()
  })
  for (;;) {
    const stored = await inventory.samplesSince(context, host, lastMs, batch)
    if (stored.length === 0) break
    lastMs = stored.at(-1)!.atMs
    yield stored
  }
  while (!signal?.aborted) {
    const fresh = live.filter(({ atMs }) => atMs > lastMs)
    live = []
    if (fresh.length > 0) {
      lastMs = fresh.at(-1)!.atMs
      yield fresh
    }
    await wake.wait(periodMs, 0, signal)
  }
}
