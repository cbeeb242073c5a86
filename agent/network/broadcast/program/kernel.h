/* What replicate.bpf.c uses of the kernel, so that a compiler alone suffices to build it: linux/bpf.h, linux/pkt_cls.h (numbers are ABI). */
#ifndef HOLDFAST_KERNEL_H
#define HOLDFAST_KERNEL_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
/* In network order. */
typedef u16 be16;
typedef u32 be32;

#define htons(value) ((be16)__builtin_bswap16((u16)(value)))
#define ntohs(value) ((u16)__builtin_bswap16((be16)(value)))
#define htonl(value) ((be32)__builtin_bswap32((u32)(value)))
#define ntohl(value) ((u32)__builtin_bswap32((be32)(value)))

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

/* Fields of a map's definition, as they are read from BTF. */
#define NUMBER(name, value) int (*name)[value]
#define TYPE(name, type) type *name
#define MAPS(name, type) type *name[]

enum {
  BPF_MAP_TYPE_HASH = 1,
  BPF_MAP_TYPE_ARRAY = 2,
  BPF_MAP_TYPE_PERCPU_HASH = 5,
  BPF_MAP_TYPE_PERCPU_ARRAY = 6,
  BPF_MAP_TYPE_LRU_HASH = 9,
  BPF_MAP_TYPE_HASH_OF_MAPS = 13,
  BPF_MAP_TYPE_DEVMAP = 14,
  BPF_MAP_TYPE_RINGBUF = 27,
};

enum { BPF_ANY = 0, BPF_F_NO_PREALLOC = 1 << 0, BPF_F_INNER_MAP = 1 << 12 };
enum { BPF_F_INGRESS = 1 << 0, BPF_F_BROADCAST = 1 << 3 };
enum { BPF_F_PSEUDO_HDR = 1 << 4, BPF_F_MARK_MANGLED_0 = 1 << 5 };
enum { BPF_ADJ_ROOM_MAC = 1, BPF_F_ADJ_ROOM_NO_CSUM_RESET = 1 << 5 };

/* What a program at tcx answers. */
enum { TCX_NEXT = -1, TCX_DROP = 2 };

/* What a program at XDP answers. */
enum { XDP_DROP = 1, XDP_PASS = 2 };

struct xdp_md {
  u32 data;
  u32 data_end;
};

struct __sk_buff {
  u32 len;
  u32 pkt_type;
  u32 mark;
  u32 queue_mapping;
  u32 protocol;
  u32 vlan_present;
  u32 vlan_tci;
  u32 vlan_proto;
  u32 priority;
  u32 ingress_ifindex;
  u32 ifindex;
  u32 tc_index;
};

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static long (*bpf_skb_store_bytes)(struct __sk_buff *skb, u32 offset, const void *from, u32 len, u64 flags) = (void *)9;
static long (*bpf_l4_csum_replace)(struct __sk_buff *skb, u32 offset, u64 from, u64 to, u64 flags) = (void *)11;
static long (*bpf_clone_redirect)(struct __sk_buff *skb, u32 ifindex, u64 flags) = (void *)13;
static long (*bpf_redirect)(u32 ifindex, u64 flags) = (void *)23;
static long (*bpf_skb_load_bytes)(const void *skb, u32 offset, void *to, u32 len) = (void *)26;
static u32 (*bpf_get_hash_recalc)(struct __sk_buff *skb) = (void *)34;
static long (*bpf_redirect_map)(void *map, u64 key, u64 flags) = (void *)51;
static long (*bpf_skb_adjust_room)(struct __sk_buff *skb, int len_diff, u32 mode, u64 flags) = (void *)50;
static long (*bpf_ringbuf_output)(void *ringbuf, void *data, u64 size, u64 flags) = (void *)130;
static long (*bpf_loop)(u32 count, void *callback, void *context, u64 flags) = (void *)181;

#endif
