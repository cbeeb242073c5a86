import type { TraceDrop } from '../../model/trace.ts'
import type { Step } from '../openflow/step.ts'
import { hintOf, type DropFacts } from './hints.ts'
import type { World } from './world.ts'

/** A drop with what to do about it. */
export function dropOf(facts: DropFacts): TraceDrop {
  const { reason, host, device, object } = facts
  return { host, device, reason, object, hint: hintOf(facts) }
}

/** Why flows dropped a packet: the last one that it hit says so; where no flow was hit, one is missing. */
export function explainDrop({ owners }: World, host: string, steps: readonly Step[], packet: string): TraceDrop {
  const cookie = steps.at(-1)?.flow?.cookie
  const found = cookie === undefined ? null : owners.find(cookie)
  const place = { host, device: 'br-int', packet }
  if (!found) return dropOf({ ...place, reason: 'flow-missing', object: null })
  const { kind, name } = found.owner
  const object = kind === 'pipeline' ? null : `${kind}/${name}`
  if (steps.at(-1)!.done.some((done) => done.kind === 'group')) {
    const hint = `${host} is not the gateway that forwards for that VLAN now, or its own NIC there has no carrier.`
    return { ...dropOf({ ...place, reason: 'unknown-destination', object }), hint }
  }
  return dropOf({ ...place, reason: found.reason === 'none' ? 'unknown-destination' : found.reason, object })
}
