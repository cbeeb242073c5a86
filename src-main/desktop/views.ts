import type { Listing, ListKind, Status } from '../../core/contract/desktop/inventory.ts'
import { parseEntity, type EntityKind } from '../../core/model/entity.ts'
import type { Source } from '../../core/status/freshness.ts'
import { statusOf } from '../../core/status/status.ts'
import { linkId, topologyOf } from '../../core/topology/topology.ts'
import type { AuditLog } from '../audit/audit.ts'
import type { Context } from '../contexts/contexts.ts'
import type { Inventory } from '../inventory/inventory.ts'
import { mergeReports, type Report } from '../inventory/merge.ts'
import type { TaskCentre } from '../tasks/task-centre.ts'
import type { Live } from './live.ts'

/** How long an answer may wait for agents, in milliseconds: the command line answers within three seconds. */
export const refreshMs = 1500
const maxListed = 100_000

/** The kind of document that a list is made of; absent for what is derived or the laptop's own. */
const kindOf: Partial<Record<ListKind, EntityKind>> = {
  hosts: 'host',
  nics: 'nic',
  disks: 'disk',
  members: 'member',
  modules: 'module',
  paths: 'path',
  vpcs: 'vpc',
  networks: 'network',
  routers: 'router',
  peerings: 'peering',
  acls: 'acl',
  ports: 'port',
  vips: 'vip',
  forwarding: 'forwarding',
}

export interface ViewServices {
  inventory: Inventory
  live: Live
  tasks: TaskCentre
  audit: AuditLog
}

/** Answers that are made of the inventory. With `refresh` the agents are asked first, and what they say lands in the inventory. */
export class Views {
  readonly #services: ViewServices

  constructor(services: ViewServices) {
    this.#services = services
  }

  async status(context: Context): Promise<Status> {
    await this.#services.live.refresh(context, refreshMs)
    return await this.known(context)
  }

  async list(context: Context, kind: ListKind, refresh: boolean): Promise<Listing> {
    const { live, tasks, audit } = this.#services
    const now = { kind, asOf: new Date().toISOString(), ageMs: 0 }
    if (kind === 'tasks') return { ...now, items: await tasks.list() }
    if (kind === 'audit') return { ...now, items: await audit.list(maxListed) }
    if (refresh) await live.refresh(context, refreshMs)
    const sources = await live.sources(context.name)
    return { kind, ...(await this.#items(context, kind, sources)) }
  }

  async #items(context: Context, kind: ListKind, sources: Source[]): Promise<Omit<Listing, 'kind'>> {
    const { inventory } = this.#services
    const seenAtMs = new Map(sources.map((source) => [`${source.host}/${source.module}`, source.seenAtMs]))
    const seen = (report: StoredReport) => seenAtMs.get(`${report.reporter}/${report.module}`) ?? null
    const item = (report: StoredReport) => ({ ...report.doc, id: report.id, atMs: report.atMs, seenAtMs: seen(report) })
    if (kind === 'events') {
      const events = await inventory.events(context.name, maxListed)
      return { items: events.map(item), ...ageOf(events.filter(({ reporter }) => reporter !== 'laptop').map(seen)) }
    }
    if (kind === 'switches' || kind === 'links') {
      const reports = mergeReports(await inventory.reports(context.name, { only: ['cluster', 'host', 'nic', 'neighbour'] }), sources, Date.now())
      const topology = topologyOf({ entities: understood(reports), sources, nowMs: Date.now() })
      const items =
        kind === 'switches' ? topology.switches.map((one) => ({ ...one, id: one.name })) : topology.links.map((one) => ({ ...one, id: linkId(one) }))
      return { items, ...ageOf(reports.filter((report) => report.kind === 'neighbour').map(seen)) }
    }
    const wanted = kindOf[kind]!
    const reports = mergeReports(await inventory.reports(context.name, { only: [wanted, 'cluster', 'overlay'] }), sources, Date.now()).filter(
      (report) => report.kind === wanted,
    )
    const items = reports.sort((a, b) => naturalOrder.compare(a.id, b.id)).map(item)
    if (kind !== 'hosts') return { items, ...ageOf(reports.map(seen)) }
    const states = new Map((await this.known(context)).hosts.map(({ name, state }) => [name, state]))
    return { items: items.map((host) => ({ ...host, state: states.get(host.id) ?? 'unknown' })), ...ageOf(reports.map(seen)) }
  }

  /** The status as the inventory has it, without asking anybody. */
  async known(context: Context): Promise<Status> {
    const { inventory, live } = this.#services
    const entities = await inventory.reports(context.name, { only: ['cluster', 'host', 'path', 'module'] })
    const sources = await live.sources(context.name)
    return statusOf({ name: context.clusterName, entities: understood(entities), sources, nowMs: Date.now() })
  }
}

type StoredReport = Report & { module: string }

/** Documents as this version knows them; others, of a later agent or a broken one, are left out of what is computed. */
function understood(reports: StoredReport[]) {
  return reports.flatMap((report) => {
    const entity = parseEntity(report)
    return entity ? [{ ...entity, reporter: report.reporter }] : []
  })
}

const naturalOrder = new Intl.Collator('en', { numeric: true })

/** The age of the oldest answer; nulls when there is none. A clock that stepped back makes no age negative. */
export function ageOf(seenAtMs: (number | null)[]): Pick<Listing, 'asOf' | 'ageMs'> {
  const known = seenAtMs.filter((atMs) => atMs !== null)
  if (known.length === 0) return { asOf: null, ageMs: null }
  const oldestMs = known.reduce((oldest, atMs) => Math.min(oldest, atMs), Infinity)
  return { asOf: new Date(oldestMs).toISOString(), ageMs: Math.max(0, Date.now() - oldestMs) }
}
