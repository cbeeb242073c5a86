/* How much of a VNI is replicated. */
#ifndef HOLDFAST_LIMIT_H
#define HOLDFAST_LIMIT_H

#include "maps.h"

/* Whether a frame of this VNI may be replicated now. */
INLINE int admitted(u32 vni) {
  struct limit *limit = bpf_map_lookup_elem(&limits, &vni);
  if (!limit || !limit->interval_ns) return 1;
  u64 now = bpf_ktime_get_ns();
#pragma unroll
  for (int attempt = 0; attempt < 4; attempt++) {
    u64 due = limit->arrival_ns;
    u64 start = due > now ? due : now;
    if (start - now > limit->burst_ns) return 0;
    if (__sync_val_compare_and_swap(&limit->arrival_ns, due, start + limit->interval_ns) == due) return 1;
  }
  /* As many processors at once want the last of it. */
  return 0;
}

#endif
