/* What the program knows, counts and tells: maps, which the agent reads and writes. */
#ifndef HOLDFAST_MAPS_H
#define HOLDFAST_MAPS_H

#include "kernel.h"

#define MAX_MEMBERS 4096

/* Why a frame to the replicator came to nothing. In this order in `dropReasons` of counters.ts. */
enum reason { UNKNOWN_VNI, TRUNCATED, OVERSIZE, BAD_HEADER, LOOP, STORM, REASONS };

struct settings {
  /* Where this very host's tunnels end; 0: nowhere. */
  be32 host;
  /* Of the NIC: the largest outer IP packet. */
  u32 mtu_bytes;
};

/* Whose an address is: another replicator's, this one's, or for now this one's, until another announces it. In members.ts, too. */
enum whose { ANOTHERS, OURS, FLOATING };

/* An address of a replicator. `local`: enum whose. */
struct address {
  u8 mac[6];
  u16 local;
};

/* A host of a VNI. The first element of a list is its head: how many follow that take VXLAN, and how many after these that take GRE. */
struct member {
  be32 ip;
  u8 mac[6];
  /* Its tunnels end at this very host. */
  u16 self;
};

struct head {
  u32 vxlan, gre;
  /* Its key in `lists`; 0: it is not for the fast path. */
  u32 list;
};

/* Generic cell rate algorithm (ITU-T I.371), in its form of virtual scheduling. */
struct limit {
  u64 interval_ns, burst_ns, arrival_ns;
};

#define PROBE_COPIES 256

/* Of the fast path. In fast-path.ts, too. */
struct fast {
  /* As many copies may be on their way to the NIC at once; 0: it is not to be used. */
  u32 burst_copies;
  /* Discriminator of the test that is under way, and how often each of its copies was answered. */
  u32 probe;
  u32 answers[PROBE_COPIES];
};

/* What a processor hands over to the NIC: see fast.h. */
struct hand_over {
  /* Of the last frame, and when the NIC last did not take a copy. */
  u64 at_ns, lost_at_ns;
  /* Of the frame that was handed over last, and how many copies it is to become. */
  u32 sequence, copies;
  /* Copies handed over since the NIC was last given all that there were. */
  u32 burst;
  /* Of the frame that is being copied, and how many copies were made of it. */
  u32 copied, made;
  /* Copies made since the NIC was last given some, and the list of the last of them. */
  u32 given, list;
  u32 unused;
};

/* In this order in `vniCounters` of counters.ts. */
struct vni_counters {
  u64 frames, copies, bytes, failed, dropped[REASONS];
};

/* In this order in `totals` of counters.ts. */
struct totals {
  u64 passed, arp_answers, bfd_answers, replicated, hairpinned, dropped[REASONS];
};

struct sighting_key {
  u32 vni;
  /* 4 or 6: an IPv4 address fills the first 4 bytes. IP_VRRP: a sign of life, the number of the virtual router, its
   * sender's MAC, and the family of its addresses. */
  u32 family;
  u8 address[16];
};

struct sighting {
  u8 mac[6];
  u16 unused;
  be32 host;
  u32 padding;
  u64 at_ns, sequence;
};

struct sighting_event {
  struct sighting_key key;
  struct sighting value;
};

struct {
  NUMBER(type, BPF_MAP_TYPE_ARRAY);
  NUMBER(max_entries, 1);
  TYPE(key, u32);
  TYPE(value, struct settings);
} settings SEC(".maps");

struct {
  NUMBER(type, BPF_MAP_TYPE_HASH);
  NUMBER(max_entries, 1024);
  TYPE(key, be32);
  TYPE(value, struct address);
} addresses SEC(".maps");

/*
 * A list is never altered: a new one takes its place by one write, and the kernel keeps the old one until nobody reads it. Sizes, for
 * clang writes no types to BTF that are behind the pointers of a map of maps.
 */
struct members {
  NUMBER(type, BPF_MAP_TYPE_ARRAY);
  NUMBER(map_flags, BPF_F_INNER_MAP);
  NUMBER(max_entries, 1);
  NUMBER(key_size, sizeof(u32));
  NUMBER(value_size, sizeof(struct member));
};

struct {
  NUMBER(type, BPF_MAP_TYPE_HASH_OF_MAPS);
  NUMBER(map_flags, BPF_F_NO_PREALLOC);
  NUMBER(max_entries, 65536);
  TYPE(key, u32);
  MAPS(values, struct members);
} vnis SEC(".maps");

/* The same lists for the fast path, each under a key of its own: one that was replaced stays until the frames that began with it are done. */
struct {
  NUMBER(type, BPF_MAP_TYPE_HASH_OF_MAPS);
  NUMBER(map_flags, BPF_F_NO_PREALLOC);
  NUMBER(max_entries, 131072);
  TYPE(key, u32);
  MAPS(values, struct members);
} lists SEC(".maps");

/* As many entries as its key says, all of them the NIC: what is sent to all entries becomes so many copies. */
struct fanout {
  NUMBER(type, BPF_MAP_TYPE_DEVMAP);
  NUMBER(max_entries, 1);
  NUMBER(key_size, sizeof(u32));
  NUMBER(value_size, 8);
};

struct {
  NUMBER(type, BPF_MAP_TYPE_HASH_OF_MAPS);
  NUMBER(map_flags, BPF_F_NO_PREALLOC);
  NUMBER(max_entries, PROBE_COPIES);
  TYPE(key, u32);
  MAPS(values, struct fanout);
} fanouts SEC(".maps");

struct {
  NUMBER(type, BPF_MAP_TYPE_ARRAY);
  NUMBER(max_entries, 1);
  TYPE(key, u32);
  TYPE(value, struct fast);
} fast SEC(".maps");

struct {
  NUMBER(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  NUMBER(max_entries, 1);
  TYPE(key, u32);
  TYPE(value, struct hand_over);
} hand_overs SEC(".maps");

struct {
  NUMBER(type, BPF_MAP_TYPE_HASH);
  NUMBER(map_flags, BPF_F_NO_PREALLOC);
  NUMBER(max_entries, 65536);
  TYPE(key, u32);
  TYPE(value, struct limit);
} limits SEC(".maps");

struct {
  NUMBER(type, BPF_MAP_TYPE_PERCPU_HASH);
  NUMBER(map_flags, BPF_F_NO_PREALLOC);
  NUMBER(max_entries, 65536);
  TYPE(key, u32);
  TYPE(value, struct vni_counters);
} counters SEC(".maps");

struct {
  NUMBER(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  NUMBER(max_entries, 1);
  TYPE(key, u32);
  TYPE(value, struct totals);
} totals SEC(".maps");

struct {
  NUMBER(type, BPF_MAP_TYPE_LRU_HASH);
  NUMBER(max_entries, 16384);
  TYPE(key, struct sighting_key);
  TYPE(value, struct sighting);
} sightings SEC(".maps");

struct {
  NUMBER(type, BPF_MAP_TYPE_ARRAY);
  NUMBER(max_entries, 1);
  TYPE(key, u32);
  TYPE(value, u64);
} sequence SEC(".maps");

struct {
  NUMBER(type, BPF_MAP_TYPE_RINGBUF);
  NUMBER(max_entries, 262144);
} events SEC(".maps");

INLINE struct totals *count(void) {
  u32 key = 0;
  return bpf_map_lookup_elem(&totals, &key);
}

INLINE int pass(struct totals *total) {
  total->passed++;
  return TCX_NEXT;
}

INLINE int drop(struct totals *total, struct vni_counters *vni, enum reason reason) {
  total->dropped[reason]++;
  if (vni) vni->dropped[reason]++;
  return TCX_DROP;
}

#endif
