import { asHoldfastError, type ErrorDoc } from '../../../core/errors.ts'
import type { BpfRefusal } from './bpf/syscall.ts'
import { PacketReplicator } from './packet/packet-replicator.ts'
import type { BroadcastPath } from './path.ts'
import { Replicator, type ReplicatorOptions } from './replicator.ts'

/** Reasons that lie in the host alone. */
const hostRefusals: readonly unknown[] = ['no-rights', 'no-bpf', 'no-btf', 'no-tcx'] satisfies BpfRefusal[]

/** `slowerBecause`: why this is not the program in the kernel; null where it is. */
export interface OpenedPath {
  path: BroadcastPath
  slowerBecause: ErrorDoc | null
}

/** Opens the replicator in the kernel or, where that grants it not, in this process. Throws where neither can be, or something else is wrong. */
export function openBroadcastPath(options: ReplicatorOptions): OpenedPath {
  try {
    return { path: new Replicator(options), slowerBecause: null }
  } catch (thrown) {
    const error = asHoldfastError(thrown)
    // Not where a program of another version may still run: both would copy.
    if (!hostRefusals.includes(error.data['reason'])) throw error
    return { path: new PacketReplicator(options), slowerBecause: error.toDoc() }
  }
}
