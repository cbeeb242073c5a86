import type { Env } from '../../core/env.ts'
import type { Acl, VirtualNetwork } from '../../core/model/network.ts'
import { FlowOwners } from '../../core/net/compile/cookie.ts'
import { drop } from '../../core/net/compile/emit.ts'
import { tables } from '../../core/net/compile/tables.ts'
import type { EventLog } from '../runtime/events.ts'
import type { Logger } from '../runtime/logger.ts'
import { parseFlowDump, type FlowStats } from './switch/flow-changes.ts'
import { ofctl } from './switch/ovs-programs.ts'
import type { VirtualSwitch } from './switch/virtual-switch.ts'

/** How often the switch is asked what ACLs that log have decided. */
export const aclLogPeriodMs = 10_000
/** An ACL that decides all the time is told of this often. */
const tellPeriodMs = 60_000

/** What an ACL has decided: packets that it dropped, and what it let through: connections where it is stateful, else packets. */
export interface Decisions {
  dropped: number
  allowed: number
}

const none: Decisions = { dropped: 0, allowed: 0 }

/** Decisions by ACL, from the flows of the ACLs' tables with their counters. */
export function decisionsOf(flows: Iterable<FlowStats>, network: VirtualNetwork): Map<string, Decisions> {
  const owners = new FlowOwners(network)
  const stateful = new Set(network.acls.filter((acl) => acl.stateful).map(({ name }) => name))
  const decisions = new Map<string, Decisions>()
  for (const { cookie, match, actions, packets } of flows) {
    const owner = owners.find(cookie)?.owner
    if (owner?.kind !== 'acl') continue
    const made = decisions.get(owner.name) ?? { dropped: 0, allowed: 0 }
    decisions.set(owner.name, made)
    if (actions === drop) made.dropped += packets
    // What follows the first packet of a connection is not decided again.
    else if (!stateful.has(owner.name) || match.includes('+new')) made.allowed += packets
  }
  return decisions
}

/** Tells as events what ACLs that log have decided on this host: each soon, and then at most once a minute, with counts. */
export class AclLog {
  readonly #options: { virtualSwitch: VirtualSwitch; events: EventLog; env: Env; logger: Logger; host: string }
  /** Counters when they were last read, what was not told yet, and when something was told last. */
  readonly #known = new Map<string, { last: Decisions; untold: Decisions; toldAtMs: number }>()
  /** ACLs that were there when it was looked last; null: never yet. */
  #names: ReadonlySet<string> | null = null
  #looking = false

  constructor(options: { virtualSwitch: VirtualSwitch; events: EventLog; env: Env; logger: Logger; host: string }) {
    this.#options = options
  }

  /** To be called every `aclLogPeriodMs` with what is in place. Costs nothing where no ACL logs. */
  async look(network: VirtualNetwork): Promise<void> {
    if (this.#looking) return
    const before = this.#names
    this.#names = new Set(network.acls.map(({ name }) => name))
    const logging = network.acls.filter(({ log }) => log)
    if (logging.length === 0) return
    this.#looking = true
    try {
      const target = this.#options.virtualSwitch.target()
      const dumps = await Promise.all([tables.aclIn, tables.aclOut].map((table) => ofctl(['dump-flows', target, `table=${table}`])))
      const decisions = decisionsOf(dumps.flatMap(parseFlowDump), network)
      for (const acl of logging) {
        const now = decisions.get(acl.name) ?? none
        // What was decided before this process began, or before the ACL was to log, is nobody's to tell any more.
        if (!this.#known.has(acl.name))
          this.#known.set(acl.name, { last: before?.has(acl.name) === false ? none : now, untold: none, toldAtMs: -Infinity })
        this.#note(acl, now)
      }
    } catch (cause) {
      this.#options.logger.warn('what ACLs decided could not be read', { cause })
    } finally {
      this.#looking = false
    }
  }

  #note(acl: Acl, now: Decisions): void {
    const { env } = this.#options
    const known = this.#known.get(acl.name)!
    // Counters begin anew with flows that were replaced.
    const since = (key: keyof Decisions): number => (now[key] >= known.last[key] ? now[key] - known.last[key] : now[key])
    known.untold = { dropped: known.untold.dropped + since('dropped'), allowed: known.untold.allowed + since('allowed') }
    known.last = now
    if (known.untold.dropped + known.untold.allowed === 0 || env.monotonicMs() - known.toldAtMs < tellPeriodMs) return
    this.#tell(acl, known.untold)
    known.untold = none
    known.toldAtMs = env.monotonicMs()
  }

  #tell({ name, stateful }: Acl, { dropped, allowed }: Decisions): void {
    const { events, host } = this.#options
    const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`
    const words = [
      ...(dropped > 0 ? [`dropped ${count(dropped, 'packet')}`] : []),
      ...(allowed > 0 ? [`let ${count(allowed, stateful ? 'connection' : 'packet')} through`] : []),
    ]
    events.emit('acl-decided', 'info', `ACL ${name} ${words.join(' and ')} on ${host}`, [`acl/${name}`, `host/${host}`], { dropped, allowed })
  }
}
