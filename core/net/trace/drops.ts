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
  return dropOf({ ...place, reason: found.reason === 'none' ? 'unknown-destination' : found.reason, object })
}
