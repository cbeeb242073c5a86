import { implement } from '@orpc/server'
import { desktopContract } from '../../core/contract/desktop/index.ts'
import { mapStreamErrors, toOrpcError } from '../../core/contract/errors.ts'
import { HoldfastError } from '../../core/errors.ts'
import { isRecording, type Context } from '../contexts/contexts.ts'
import type { ServiceParts } from '../services.ts'
import { feed, samples } from './feed.ts'

/** Implements the desktop contract over the services. It decides nothing but which context is meant and that recordings are read-only. */
export function desktopRouter(services: ServiceParts) {
  // Here and not in a shell, so that every way in gives typed errors, at once or in the middle of a stream.
  const os = implement(desktopContract).use(async ({ next }) => {
    try {
      const result = await next()
      return { ...result, output: mapStreamErrors(result.output) }
    } catch (thrown) {
      throw toOrpcError(thrown)
    }
  })
  const { contexts, live, views, inventory, records, hosts, tasks, terminals, audit, vault, secrets, network, traces, captures, broadcast } = services

  /** The context that is worked with. */
  const current = (): Context => {
    const context = contexts.current()
    if (context) return context
    throw new HoldfastError('no-context', 'This laptop knows no cluster yet', 'Add the first host of one, or bring up a lab: holdfast lab up.')
  }
  /** The same, of a cluster that can be changed. */
  const changeable = (): Context => {
    const context = current()
    if (!isRecording(context)) return context
    throw new HoldfastError('read-only', `${context.name} is a recording: it can be read, not changed`, 'Use the context of a live cluster.')
  }
  const nothing = async (work: Promise<unknown> | void) => {
    await work
    return {}
  }

  return os.router({
    context: {
      add: os.context.add.handler(async ({ input }) => contexts.use(await hosts.admit(input.target, input.fingerprint))),
      list: os.context.list.handler(() => contexts.list()),
      use: os.context.use.handler(({ input }) => contexts.use(input.name)),
      remove: os.context.remove.handler(({ input: { name } }) =>
        nothing(
          audit.around('context-remove', [`context/${name}`], {}, async () => {
            contexts.get(name)
            await live.leave(name)
            await contexts.remove(name)
            await inventory.forgetContext(name)
          }),
        ),
      ),
      keys: os.context.keys.handler(() => ({ store: secrets.kind, state: secrets.kind === 'vault' ? vault.state : 'open' })),
      unlock: os.context.unlock.handler(({ input }) => nothing(vault.unlock(input.passphrase))),
    },
    inventory: {
      status: os.inventory.status.handler(() => views.status(current())),
      list: os.inventory.list.handler(({ input }) => views.list(current(), input.kind, !input.offline)),
      search: os.inventory.search.handler(({ input }) => inventory.search(current().name, input.query, input.limit)),
      feed: os.inventory.feed.handler(({ signal }) => feed(services, signal)),
      samples: os.inventory.samples.handler(({ input, signal }) => samples(inventory, current().name, input.host, input.sinceMs, signal)),
      positions: os.inventory.positions.handler(async () => (await records.api()).readPositions(current().name)),
      savePositions: os.inventory.savePositions.handler(async ({ input }) => nothing((await records.api()).savePositions(current().name, input))),
    },
    host: {
      hostKey: os.host.hostKey.handler(({ input }) => hosts.hostKey(input)),
      acceptKey: os.host.acceptKey.handler(({ input }) => nothing(hosts.acceptKey(input))),
      // The first host of a new cluster needs no context, and none that is there stands in its way.
      add: os.host.add.handler(({ input }) => hosts.add(input.newCluster ? null : changeable().name, input)),
      remove: os.host.remove.handler(({ input }) => hosts.remove(changeable().name, input.name)),
      upgrade: os.host.upgrade.handler(({ input }) => hosts.upgrade(changeable().name, input)),
    },
    network: {
      get: os.network.get.handler(() => network.get(current())),
      export: os.network.export.handler(async () => ({ declaration: await network.export(current()) })),
      plan: os.network.plan.handler(({ input }) => network.plan(current(), input.declaration, input.prune)),
      apply: os.network.apply.handler(({ input }) => network.apply(changeable(), input)),
      failover: os.network.failover.handler(({ input }) => network.failover(changeable(), input.host)),
      drops: os.network.drops.handler(async ({ input }) => ({ hosts: await network.drops(changeable(), input.host) })),
      trace: os.network.trace.handler(({ input }) => traces.trace(current(), input)),
      reachability: os.network.reachability.handler(({ input }) => traces.reachability(current(), input)),
    },
    broadcast: {
      status: os.broadcast.status.handler(({ input }) => broadcast.status(current(), !input.offline)),
      vips: os.broadcast.vips.handler(({ input }) => broadcast.vips(current(), !input.offline)),
    },
    capture: {
      check: os.capture.check.handler(({ input }) => nothing(captures.check(changeable(), input.filter))),
      start: os.capture.start.handler(({ input, signal }) => captures.start(changeable(), input, signal)),
      stop: os.capture.stop.handler(({ input }) => nothing(captures.stop(input.id))),
    },
    task: {
      list: os.task.list.handler(() => tasks.list()),
      cancel: os.task.cancel.handler(({ input }) => tasks.cancel(input.id)),
      resume: os.task.resume.handler(({ input }) => tasks.resume(input.id)),
    },
    terminal: {
      open: os.terminal.open.handler(({ input }) => terminals.open(input.host, input)),
      output: os.terminal.output.handler(({ input, signal }) => terminals.output(input.id, signal)),
      input: os.terminal.input.handler(({ input }) => nothing(terminals.input(input.id, input.text))),
      resize: os.terminal.resize.handler(({ input }) => nothing(terminals.resize(input.id, input))),
      close: os.terminal.close.handler(({ input }) => nothing(terminals.close(input.id))),
    },
  })
}
