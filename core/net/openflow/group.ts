import { HoldfastError } from '../../errors.ts'
import type { Action } from './action.ts'
import { parseActions } from './parse-actions.ts'
import { remembered } from './remembered.ts'

/** One way out of a group. */
export interface Bucket {
  /** It lives as long as this port does; null: always. */
  watchPort: number | null
  /** As in ovs-actions(7), joined by commas: an action set, whose order does not count. */
  actions: string
}

/** A fast-failover group (OpenFlow 1.5 §5.10): of its buckets the first that lives is executed, or none. */
export interface Group {
  id: number
  buckets: Bucket[]
}

const maxGroup = 0xffff_ff00

/**
 * Reads a group as ovs-ofctl(8) takes it (`group_id=5,type=ff,bucket=watch_port:16,actions=output:1,bucket=actions=output:2`) and as
 * `ovs-ofctl -O OpenFlow15 dump-groups --no-names` prints it. Actions are taken as they are, not checked. Throws `bad-input` for what is no group,
 * `not-supported` for one of another type or with a bucket that watches a group.
 */
export function parseGroup(text: string): Group {
  const [head = '', ...buckets] = text.trim().split(/,bucket=/)
  const { group_id: id = '', type, ...more } = Object.fromEntries(head.split(',').map((part) => part.split('=', 2))) as Record<string, string>
  if (!/^\d+$/.test(id) || Number(id) > maxGroup) throw bad(text, `its group_id is not a number from 0 to ${maxGroup}`)
  if ((type !== 'ff' && type !== 'fast_failover') || Object.keys(more).length > 0) throw unknown(text)
  return { id: Number(id), buckets: buckets.map((bucket) => parseBucket(bucket, text)) }
}

function parseBucket(text: string, group: string): Bucket {
  const [, head, actions] = /^(.*?)(?:^|,)actions=(.*)$/.exec(text) ?? []
  if (head === undefined || actions === undefined) throw bad(group, 'a bucket has no actions=')
  const bucket: Bucket = { watchPort: null, actions }
  for (const part of head === '' ? [] : head.split(',')) {
    const [, key, value] = /^(watch_port|bucket_id)[=:](\d+)$/.exec(part) ?? []
    if (key === undefined) throw unknown(group)
    if (key === 'watch_port') bucket.watchPort = Number(value)
  }
  return bucket
}

/** Actions that are executed in this order and before all others of a set, each once: the last one counts. */
const first = ['pop-vlan', 'push-vlan', 'dec-ttl'] as const
/** Of these only the last of the last kind is executed; without any, nothing is. */
const last = ['ct', 'ct-clear', 'resubmit', 'output', 'group'] as const

/** The actions of a bucket as a list in the order in which OVS executes a set (lib/ofp-actions.c). Throws what `parseActions` throws. */
export const bucketActions: (text: string) => readonly Action[] = remembered((text) => {
  const actions = parseActions(text)
  const newest = (kind: Action['kind']): Action[] => actions.filter((action) => action.kind === kind).slice(-1)
  const sets = actions.filter(({ kind }) => kind === 'set-field' || kind === 'move' || kind === 'set-vlan')
  const known: readonly string[] = [...first, 'set-field', 'move', 'set-vlan', ...last]
  if (actions.some(({ kind }) => !known.includes(kind))) throw unknown(text)
  const final = last.flatMap(newest).slice(-1)
  return final.length === 0 ? [] : [...first.flatMap(newest), ...sets, ...final]
})

function bad(group: string, why: string): HoldfastError {
  return new HoldfastError('bad-input', `Not a group, because ${why}: ${group.slice(0, 300)}`, 'Write groups as ovs-ofctl(8) says.', { group })
}

function unknown(group: string): HoldfastError {
  const hint = 'Remove the group if it is not wanted: it was not made by Holdfast.'
  return new HoldfastError(
    'not-supported',
    `The group '${group.slice(0, 300)}' is not understood, so what becomes of a packet cannot be told`,
    hint,
    {
      group,
    },
  )
}
