import type { RefusedClaim, VipState } from '../../core/model/broadcast.ts'
import { isDamped, noRecord } from '../../core/net/broadcast/claims.ts'
import { claimantsOf } from '../../core/net/broadcast/masters.ts'
import { membersOf, unwellMembers } from '../../core/net/broadcast/platform-vip.ts'
import type { ObjectLog } from '../../core/sync/object-log.ts'
import type { Desired } from './desired.ts'

/** Reports what becomes of floating addresses; only the host that leads the cluster does. */
export function reportVips(log: ObjectLog, desired: Pick<Desired, 'network' | 'vips' | 'refused' | 'health' | 'masters'>, nowMs: number): void {
  const { network, vips, refused, health, masters } = desired
  const portsByName = new Map(network.ports.map((port) => [port.name, port]))
  const names = new Set(network.vips.map(({ name }) => name))
  for (const { id } of log.list('vipState')) if (!names.has(id)) log.del('vipState', id)
  for (const vip of network.vips) {
    const { name, ports } = vip
    const { record, revision } = vips.get(name) ?? { record: noRecord, revision: 0 }
    const owner = record.owner && ports.includes(record.owner.port) ? { ...record.owner, epoch: revision } : null
    const claimants = claimantsOf(masters.values(), name, nowMs)
    const doc: VipState = {
      ...{ name, owner, claimants, damped: isDamped(record, nowMs), refused: refusedOf(refused, name), history: record.history },
      ...(vip.healthCheck && { unwell: unwellMembers(membersOf(vip, portsByName, health)) }),
    }
    log.put({ kind: 'vipState', id: name, doc })
  }
}

/** Of all hosts: a port may have been elsewhere. */
function refusedOf(refused: Desired['refused'], vip: string): RefusedClaim[] {
  const claims = new Map<string, RefusedClaim>()
  for (const doc of refused.values()) {
    for (const { port, atMs, count } of doc[vip] ?? []) {
      const before = claims.get(port)
      claims.set(port, { port, atMs: Math.max(atMs, before?.atMs ?? 0), count: count + (before?.count ?? 0) })
    }
  }
  return [...claims.values()].sort((a, b) => (a.port < b.port ? -1 : 1))
}
