import type { VipDoc } from '../contract/desktop/broadcast.ts'
import type { VipState } from '../model/broadcast.ts'
import type { Vip } from '../model/network.ts'

const instant = (atMs: number): string => new Date(atMs).toISOString()

/** VIPs in the order given, each with what became of it; one that nobody has reported on has no owner and no past. */
export function vipDocs(vips: readonly Vip[], states: readonly VipState[]): VipDoc[] {
  const stateOf = new Map(states.map((state) => [state.name, state]))
  return vips.map(({ name, network, ip, ports }) => {
    const { owner = null, claimants = [], damped = false, refused = [], unwell, history = [] } = stateOf.get(name) ?? {}
    return {
      ...{ name, network, ip },
      owner: owner && { port: owner.port, host: owner.host, mac: owner.mac, epoch: owner.epoch, since: instant(owner.sinceMs) },
      allowed: ports,
      claimants: claimants.map(({ port, host, mac, atMs }) => ({ port, host, mac, at: instant(atMs) })),
      damped,
      refused: refused.map(({ port, atMs, count }) => ({ port, at: instant(atMs), count })),
      ...(unwell && { unwell: unwell.map(({ port, why }) => ({ port, why })) }),
      history: history.map(({ from, to, atMs, outageMs }) => ({ from, to, at: instant(atMs), outageMs })),
    }
  })
}

/** Whether two places announce it at once, so that frames for it go astray. */
export const isContested = ({ claimants }: Pick<VipDoc, 'claimants'>): boolean => new Set(claimants.map(({ mac, host }) => `${mac} ${host}`)).size > 1
