/**
 * Which hosts run a member of the store, and what to change next. Pure: the leader asks again whenever something changed,
 * does the one step that comes out, and asks again. So it may die after any step, and the next leader goes on.
 */

/** Voters that a cluster of this many hosts is to have. Two voters would lose quorum with either of them, so two hosts have one. */
export function votersWanted(hosts: number): number {
  return hosts >= 5 ? 5 : hosts >= 3 ? 3 : Math.min(hosts, 1)
}

export const membershipTimings = {
  /** A voter that is dead for so long is replaced when another host can take its place. */
  replaceAfterMs: 300_000,
  /** A learner that did not catch up in that time is taken out and tried again, on another host if there is one. */
  learnerMs: 120_000,
} as const

/** A host as the leader sees it. */
export interface MembershipHost {
  name: string
  joinedAtMs: number
  /** Its agent is heard. */
  alive: boolean
  /** It is to leave the cluster. */
  leaving: boolean
}

/** A member as etcd lists it. */
export interface MembershipMember {
  id: string
  host: string
  learner: boolean
  /** Its store member answers. */
  well: boolean
  /** For how long it has been well, or not. */
  sinceMs: number
}

export interface MembershipView {
  hosts: readonly MembershipHost[]
  members: readonly MembershipMember[]
  /** Host of the raft leader. */
  raftLeader: string | null
}

export type MembershipStep =
  | { do: 'add-learner'; host: string }
  | { do: 'promote'; id: string; host: string }
  | { do: 'remove'; id: string; host: string; why: string }
  /** The raft leader is to be taken out: hand its part on first. */
  | { do: 'move-raft-leader'; to: string }
  /** The host has no member any more: its document goes, its certificate is refused. */
  | { do: 'forget-host'; host: string }

/** The next step, or null when all is as it should be or nothing can be done safely. */
export function planMembership(
  { hosts, members, raftLeader }: MembershipView,
  timings: { replaceAfterMs: number; learnerMs: number } = membershipTimings,
): MembershipStep | null {
  const byName = new Map(hosts.map((host) => [host.name, host]))
  const staying = hosts.filter((host) => !host.leaving)
  const wanted = votersWanted(staying.length)
  const voters = members.filter((member) => !member.learner)
  const wellVoters = voters.filter((member) => member.well)
  const stays = (member: MembershipMember) => byName.get(member.host)?.leaving === false
  const candidates = staying
    .filter((host) => host.alive && !members.some((member) => member.host === host.name))
    .sort((a, b) => a.joinedAtMs - b.joinedAtMs || (a.name < b.name ? -1 : 1))

  // A majority must be well now, and still be after the step, or the step would hang and every change behind it.
  if (wellVoters.length * 2 <= voters.length) return null
  const survivesWithout = (member: MembershipMember) => {
    const rest = voters.filter((voter) => voter !== member)
    return rest.filter((voter) => voter.well).length * 2 > rest.length
  }
  const remove = (member: MembershipMember, why: string): MembershipStep | null => {
    if (member.host !== raftLeader) return { do: 'remove', id: member.id, host: member.host, why }
    const heir = wellVoters.find((voter) => voter !== member && stays(voter)) ?? wellVoters.find((voter) => voter !== member)
    return heir ? { do: 'move-raft-leader', to: heir.host } : null
  }

  const learner = members.find((member) => member.learner)
  if (learner) {
    if (!stays(learner)) return { do: 'remove', id: learner.id, host: learner.host, why: 'its host leaves' }
    if (learner.well) return { do: 'promote', id: learner.id, host: learner.host }
    return learner.sinceMs >= timings.learnerMs ? { do: 'remove', id: learner.id, host: learner.host, why: 'it did not catch up' } : null
  }

  const gone = hosts.find((host) => host.leaving && !members.some((member) => member.host === host.name))
  if (gone) return { do: 'forget-host', host: gone.name }

  // What is dead goes before anything is added: it counts in the majority and cannot help.
  const deadLeaver = voters.find((member) => !member.well && !stays(member))
  if (deadLeaver && survivesWithout(deadLeaver)) return remove(deadLeaver, 'its host leaves')
  // Where a host wants to leave, the dead must not hold it back.
  const someoneLeaves = voters.some((member) => !stays(member))
  const dead = voters.find((member) => !member.well && member.sinceMs >= timings.replaceAfterMs)
  if (dead && survivesWithout(dead) && (candidates.length > 0 || byName.get(dead.host)?.alive || someoneLeaves))
    return remove(dead, 'it was dead for too long')

  const stayingVoters = voters.filter(stays)
  const allWell = wellVoters.length === voters.length
  if (stayingVoters.length < wanted && candidates[0] && allWell) return { do: 'add-learner', host: candidates[0].name }

  const leaver = voters.find((member) => !stays(member))
  if (leaver && voters.length > 1 && survivesWithout(leaver)) return remove(leaver, 'its host leaves')
  if (stayingVoters.length > wanted) {
    const joined = (member: MembershipMember) => byName.get(member.host)?.joinedAtMs ?? 0
    const surplus = [...stayingVoters].sort(
      (a, b) => Number(a.well) - Number(b.well) || Number(a.host === raftLeader) - Number(b.host === raftLeader) || joined(b) - joined(a),
    )[0]!
    if (survivesWithout(surplus)) return remove(surplus, 'fewer voters are needed')
  }
  return null
}
