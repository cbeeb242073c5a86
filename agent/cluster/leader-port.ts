import type { LeadershipPort, RenewOutcome, TakeOutcome } from '../../core/cluster/leadership.ts'
import { HoldfastError } from '../../core/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import type { ClusterAddress } from './address.ts'
import { keys } from './documents.ts'
import type { LocalMember } from './local-member.ts'
import type { Store } from '../store/store.ts'
import type { StoreView } from './store-view.ts'

/** etcd's shortest lease at our election time-out, in seconds. */
const leaseSeconds = 1
/** A renewal that is not answered by then is of no use any more. */
const renewMs = 1000
/** For each of the two requests of a take-over. What a store in an election has swallowed is better asked again than waited for. */
const takeMs = 600
const statusMs = 400

export interface LeaderPortOptions {
  host: string
  logger: Logger
  store: Store
  view: StoreView
  member: LocalMember
  address: ClusterAddress
  changed: LeadershipPort['changed']
}

/** Leadership's hands on the real store and the real kernel. */
export function createLeaderPort({ host, logger, store, view, member, address, changed }: LeaderPortOptions): LeadershipPort {
  const failed = (what: string) => (cause: unknown) => {
    logger.warn(`leadership: ${what} failed`, { cause })
  }
  const take = async (basis: { keyRevision: number; epoch: number }): Promise<TakeOutcome> => {
    // By the own member, which has just said who the raft leader is: another one may be on the very host that fell silent.
    const own = { deadlineMs: takeMs, endpoint: member.endpoint }
    const leaseId = await store.grantLease(leaseSeconds, own)
    const { done, revision } = await store.change(
      [
        { key: keys.leader, revision: basis.keyRevision },
        { key: keys.election, revision: basis.epoch },
      ],
      [
        { put: keys.leader, value: { holder: host, nominee: null }, leaseId },
        { put: keys.election, value: { count: view.elections + 1, host } },
      ],
      own,
    )
    return done ? { type: 'won', term: { epoch: revision, leaseId } } : { type: 'refused' }
  }
  const write = async (epoch: number, value: object, leaseId?: string): Promise<RenewOutcome> => {
    const unchanged = [{ key: keys.election, revision: epoch }]
    const { done } = await store.change(unchanged, [{ put: keys.leader, value, ...(leaseId && { leaseId }) }], { deadlineMs: renewMs })
    return done ? 'done' : 'refused'
  }
  return {
    take(basis, done) {
      take(basis).then(done, (cause: unknown) => {
        failed('taking it')(cause)
        done({ type: 'failed' })
      })
    },
    renew({ epoch, leaseId }, done) {
      // The lease only makes the key go by itself one day; whether it was prolonged in time shows in the write, which it is bound to.
      store.keepLease(leaseId, renewMs).catch(failed('prolonging the lease'))
      write(epoch, { holder: host, nominee: null }, leaseId).then(done, (cause: unknown) => {
        failed('renewing it')(cause)
        // A lease that is gone took the key with it.
        done(cause instanceof HoldfastError && cause.data.grpcCode === 5 ? 'refused' : 'failed')
      })
    },
    resign({ epoch }, nominee, done) {
      write(epoch, { holder: null, nominee }).then(done, (cause: unknown) => {
        failed('giving it up')(cause)
        done('failed')
      })
    },
    raftLeader(done) {
      member.raftLeader(statusMs).then(done, () => done(null))
    },
    fetchRaftLeader() {
      member.fetchRaftLeader().catch(failed('fetching raft leadership'))
    },
    holdAddress: () => address.hold(),
    dropAddress: () => address.drop(),
    changed,
  }
}
