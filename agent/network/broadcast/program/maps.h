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
  u32 vxlan, gre, unused;
};

/* Generic cell rate algorithm (ITU-T I.371), in its form of virtual scheduling. */
struct limit {
  u64 interval_ns, burst_ns, arrival_ns;
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
  /* 4 or 6: an IPv4 address fills the first 4 bytes. IP_VRRP: a sign of life, the number of the virtual router and its sender's MAC. */
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
