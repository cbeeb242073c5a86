import type { VirtualRouter } from '../../lab/keepalived.ts'
import type { Chance } from '../chance.ts'
import type { ProofContext } from '../proof.ts'
import { floating } from './declaration.ts'
import type { Rig } from './rig.ts'

/** One kind of bad luck, played on a rig where all is well and no keepalived runs. */
export interface Scene {
  name: string
  /** Throws with what does not hold. Answers what is worth keeping. */
  play(rig: Rig, context: { scale: ProofContext['scale']; chance: Chance }): Promise<Record<string, number | string>>
}

/** A virtual router for the floating address, with the higher priority or the lower. */
export function router(priority: 'high' | 'low', change: Partial<VirtualRouter> = {}): VirtualRouter {
  const address = `${floating.address}/${floating.prefix}`
  return { id: 51, priority: priority === 'high' ? 200 : 100, advertIntervalMs: 1000, address, garpMasterDelaySeconds: 1, ...change }
}
