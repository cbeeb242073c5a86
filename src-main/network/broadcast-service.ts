import type { BroadcastStatus, VipDoc } from '../../core/contract/desktop/broadcast.ts'
import { parseEntity, type EntityDocs, type EntityKind } from '../../core/model/entity.ts'
import type { LiveState } from '../../core/model/common.ts'
import { broadcastOf } from '../../core/status/broadcast.ts'
import { Freshness } from '../../core/status/freshness.ts'
import { vipDocs } from '../../core/status/vips.ts'
import type { Context } from '../contexts/contexts.ts'
import type { Live } from '../desktop/live.ts'
import { ageOf, refreshMs, type Views } from '../desktop/views.ts'
import type { Inventory } from '../inventory/inventory.ts'
import { mergeReports } from '../inventory/merge.ts'

export interface BroadcastServices {
  inventory: Inventory
  live: Live
  views: Views
}

type Age = Pick<BroadcastStatus, 'asOf' | 'ageMs'>

/** The broadcast cluster and floating addresses as the inventory has them. With `refresh` the agents are asked first. */
export class BroadcastService {
  readonly #services: BroadcastServices

  constructor(services: BroadcastServices) {
    this.#services = services
  }

  async status(context: Context, refresh: boolean): Promise<BroadcastStatus> {
    const known = await this.#read(context, refresh, ['network', 'port', 'networkHost', 'forwarding', 'broadcastNode', 'broadcastHost'])
    const doc = broadcastOf({
      networks: known.of('network'),
      ports: known.of('port'),
      hosts: known.of('networkHost'),
      ends: new Map(known.of('forwarding').map(({ host, tunnelEnd }) => [host, tunnelEnd])),
      reports: known.of('broadcastNode'),
      watchers: known.of('broadcastHost'),
      epoch: known.of('overlay')[0]?.last.broadcastEpoch ?? null,
      liveOf: await this.#liveOf(context),
    })
    return { ...doc, ...known.ageOf('network', 'broadcastNode') }
  }

  async vips(context: Context, refresh: boolean): Promise<Age & { vips: VipDoc[] }> {
    const known = await this.#read(context, refresh, ['vip', 'vipState'])
    return { vips: vipDocs(known.of('vip'), known.of('vipState')), ...known.ageOf('vip', 'vipState') }
  }

  async #read(context: Context, refresh: boolean, kinds: EntityKind[]) {
    const { inventory, live } = this.#services
    if (refresh) await live.refresh(context, refreshMs)
    const sources = await live.sources(context.name)
    const reports = mergeReports(await inventory.reports(context.name, { only: [...kinds, 'cluster', 'overlay'] }), sources, Date.now())
    const seenAtMs = new Map(sources.map((source) => [`${source.host}/${source.module}`, source.seenAtMs]))
    return {
      /** Documents of a kind, in the natural order of their ids. */
      of: <K extends EntityKind>(kind: K): EntityDocs[K][] =>
        reports
          .filter((report) => report.kind === kind)
          .sort((a, b) => naturalOrder.compare(a.id, b.id))
          .flatMap((report) => (parseEntity(report)?.doc as EntityDocs[K] | undefined) ?? []),
      ageOf: (...of: EntityKind[]): Age =>
        ageOf(
          reports.filter(({ kind }) => of.includes(kind as EntityKind)).map(({ reporter, module }) => seenAtMs.get(`${reporter}/${module}`) ?? null),
        ),
    }
  }

  /** Whether what a host's network module says is of now. */
  async #liveOf(context: Context): Promise<(host: string) => LiveState> {
    const freshness = new Freshness(await this.#services.live.sources(context.name), Date.now())
    const { hosts } = await this.#services.views.known(context)
    const down = new Set(hosts.filter(({ state }) => state === 'down').map(({ name }) => name))
    return (host) => (down.has(host) ? 'down' : freshness.isFresh(host, 'network') ? 'up' : 'unknown')
  }
}

const naturalOrder = new Intl.Collator('en', { numeric: true })
