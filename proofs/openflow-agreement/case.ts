import { flowLine } from '../../core/net/openflow/flow.ts'
import { toHex } from '../../core/net/packet/bytes.ts'
import type { Chance } from '../chance.ts'
import { plainPorts, tunnelPorts, watchPorts, type Bridge } from './dummy-switch.ts'
import { randomFlows, trackingFlows } from './random-flows.ts'
import { randomGroups } from './random-groups.ts'
import { randomFrame } from './random-packets.ts'
import { tunnelIds } from './universe.ts'

/** A frame that comes to the switch. */
export interface Arrival {
  /** OpenFlow port; what comes by a tunnel comes with an outer header. */
  inPort: number
  tunnelId: number
  frame: Uint8Array
  /** How long after the one before. */
  afterMs: number
}

/** A pipeline, and frames that come one after the other. */
export interface Case extends Bridge {
  arrivals: Arrival[]
}

const framesPerCase = 24

export function randomCase(chance: Chance): Case {
  const flows = chance.is(0.8) ? randomFlows(chance) : trackingFlows(chance)
  const arrivals: Arrival[] = []
  while (arrivals.length < framesPerCase) {
    const earlier = arrivals.map(({ frame }) => frame)
    arrivals.push({
      inPort: chance.is(0.85) ? chance.pick(plainPorts) : chance.pick(Object.values(tunnelPorts)),
      tunnelId: chance.pick(tunnelIds),
      frame: randomFrame(chance, earlier),
      afterMs: chance.is(0.05) ? chance.pick([29_000, 31_000, 61_000]) : 0,
    })
  }
  const portsDown = new Set(watchPorts.filter(() => chance.is(0.4)))
  return { flows, groups: randomGroups(chance), portsDown, arrivals }
}

/** A smaller case that still `fails`: without flows and frames that do not matter. */
export async function reduced(original: Case, fails: (tried: Case) => Promise<boolean>): Promise<Case> {
  let best = original
  for (let progress = true; progress;) {
    progress = false
    for (const part of ['arrivals', 'flows'] as const) {
      for (let index = best[part].length - 1; index >= 0; index--) {
        const tried = { ...best, [part]: best[part].toSpliced(index, 1) }
        if (await fails(tried)) [best, progress] = [tried, true]
      }
    }
  }
  return best
}

export function caseText({ flows, groups, portsDown, arrivals }: Case): string {
  const frames = arrivals.map(({ inPort, tunnelId, frame, afterMs }) => `port ${inPort} (tunnel ${tunnelId}), ${afterMs} ms later: ${toHex(frame)}`)
  return [...flows.map(flowLine), ...groups, `down: ${[...portsDown].join(', ')}`, ...frames].join('\n')
}
