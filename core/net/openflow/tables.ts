import type { Action } from './action.ts'
import type { Key } from './fields.ts'
import type { Flow } from './flow.ts'
import type { Group } from './group.ts'
import { parseMatch, type Match } from './match.ts'
import { parseActions } from './parse-actions.ts'
import { remembered } from './remembered.ts'

/**
 * A bridge's flows and groups. Flows are found by tuple-space search (Srinivasan, Suri, Varghese: "Packet Classification using Tuple Space Search", 1999, as in
 * lib/classifier.c of OVS): flows that look at the same bits are found by one hash look-up. A table is indexed when it is first asked.
 */

interface Rule {
  flow: Flow
  match: Match
}

/** A match with what it is filed under. */
interface Filed {
  match: Match
  /** The same for matches that look at the same bits. */
  masks: string
  hash: number
}

/** Flows whose matches have the same masks. */
interface MaskGroup {
  match: Match
  maxPriority: number
  /** By hash of the masked values; highest priority first. */
  rules: Map<number, Rule[]>
}

export class FlowTables {
  #flows = new Map<number, Flow[]>()
  #maskGroups = new Map<number, MaskGroup[]>()
  /** By number. */
  readonly groups: ReadonlyMap<number, Group>

  /** Of flows with the same table, match and priority the last one counts. */
  constructor(flows: Iterable<Flow>, groups: Iterable<Group> = []) {
    this.groups = new Map(Array.from(groups, (group) => [group.id, group]))
    for (const flow of flows) {
      const table = this.#flows.get(flow.table)
      if (table) table.push(flow)
      else this.#flows.set(flow.table, [flow])
    }
  }

  /**
   * The flow of highest priority that matches; null if none does. Which of several of the same priority is found is not defined, as in
   * OVS. Throws what `parseMatch` throws, if the table has a flow that cannot be understood.
   */
  find(table: number, key: Key): Flow | null {
    let found: Rule | null = null
    for (const group of this.#groupsOf(table)) {
      if (found && found.flow.priority >= group.maxPriority) break
      const rule = group.rules.get(hashOfKey(group.match, key))?.find(({ match }) => matches(match, key))
      if (rule && (!found || rule.flow.priority > found.flow.priority)) found = rule
    }
    return found && found.flow
  }

  #groupsOf(table: number): MaskGroup[] {
    const known = this.#maskGroups.get(table)
    if (known) return known
    const groups = groupsOf(this.#flows.get(table) ?? [])
    this.#maskGroups.set(table, groups)
    return groups
  }
}

function groupsOf(flows: readonly Flow[]): MaskGroup[] {
  const groups = new Map<string, MaskGroup>()
  for (const flow of flows) {
    const { match, masks, hash } = filed(flow.match)
    let group = groups.get(masks)
    if (!group) groups.set(masks, (group = { match, maxPriority: flow.priority, rules: new Map() }))
    group.maxPriority = Math.max(group.maxPriority, flow.priority)
    const rules = group.rules.get(hash)
    // The later of two equal ones comes first.
    if (rules) rules.unshift({ flow, match })
    else group.rules.set(hash, [{ flow, match }])
  }
  for (const { rules } of groups.values())
    for (const list of rules.values()) if (list.length > 1) list.sort((a, b) => b.flow.priority - a.flow.priority)
  return [...groups.values()].sort((a, b) => b.maxPriority - a.maxPriority)
}

function mix(hash: number, value: number): number {
  const mixed = Math.imul(hash ^ value, 0x9e37_79b1)
  return mixed ^ (mixed >>> 15)
}

function hashOfKey(match: Match, key: Key): number {
  let hash = 0
  for (const { word, mask } of match) hash = mix(hash, key[word]! & mask)
  return hash
}

function matches(match: Match, key: Key): boolean {
  for (const { word, mask, value } of match) if ((key[word]! & mask) >>> 0 !== value) return false
  return true
}

const filed = remembered((text): Filed => {
  const match = parseMatch(text)
  let [masks, hash] = ['', 0]
  for (const { word, mask, value } of match) {
    masks += `${word}/${mask} `
    hash = mix(hash, value)
  }
  return { match, masks, hash }
})

/** The actions of a flow. Throws what `parseActions` throws. */
export const actionsOf: (text: string) => readonly Action[] = remembered(parseActions)
