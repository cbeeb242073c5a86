/* Copies of a frame, each with an outer header for one member. */
#ifndef HOLDFAST_COPIES_H
#define HOLDFAST_COPIES_H

#include "frames.h"
#include "maps.h"

/* Marks copies, so that they cost nothing more on their way out. */
#define COPY 0x6866

struct copying {
  struct __sk_buff *skb;
  /* Of one VNI. */
  void *members;
  struct outer outer;
  /* Of the words of the header that are the same for all copies. */
  u32 sum;
  /* Place in the list before the first member of this round. */
  u32 offset;
  be32 from;
  /* Of an outer UDP header that has a checksum: the destination that it is for now. */
  be32 checked_dst;
  u32 has_check;
  u32 ifindex;
  u64 copies, failed;
};

static long copy_to(u32 index, void *context) {
  struct copying *copying = context;
  u32 key = copying->offset + index;
  struct member *member = bpf_map_lookup_elem(copying->members, &key);
  if (!member) return 1;
  if (member->ip == copying->from) return 0;
  struct __sk_buff *skb = copying->skb;
  struct outer *outer = &copying->outer;
  be32 ip = member->ip;
  copy_mac(outer->dst_mac, member->mac);
  outer->dst = ip;
  outer->check = ~fold(copying->sum + (ip & 0xffff) + (ip >> 16));
  if (bpf_skb_store_bytes(skb, 0, outer, sizeof(*outer), 0)) {
    copying->failed++;
    return 0;
  }
  if (copying->has_check) {
    u64 flags = BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0 | sizeof(ip);
    bpf_l4_csum_replace(skb, sizeof(*outer) + 6, copying->checked_dst, ip, flags);
    copying->checked_dst = ip;
  }
  if (bpf_clone_redirect(skb, copying->ifindex, member->self ? BPF_F_INGRESS : 0)) copying->failed++;
  else copying->copies++;
  return 0;
}

/* Prepares the header that all copies of a round have in common. */
INLINE void share(struct copying *copying) {
  struct outer *outer = &copying->outer;
  outer->ttl = 64;
  outer->check = 0;
  outer->dst = 0;
  copying->sum = sum_of(outer);
}

/* VXLAN becomes GRE, and the other way round: 8 bytes less or more. Once, for all members that take it. Not 0: it cannot be. */
INLINE int convert(struct copying *copying, u32 vni, u32 mtu_bytes) {
  struct __sk_buff *skb = copying->skb;
  struct outer *outer = &copying->outer;
  int to_gre = outer->protocol == IP_UDP;
  u32 length = ntohs(outer->length) + (to_gre ? -8 : 8);
  if (length > mtu_bytes) return 1;
  if (bpf_skb_adjust_room(skb, to_gre ? -8 : 8, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_NO_CSUM_RESET)) return 1;
  outer->length = htons(length);
  outer->protocol = to_gre ? IP_GRE : IP_UDP;
  copying->has_check = 0;
  if (to_gre) {
    struct gre gre = {.flags = GRE_HAS_KEY, .type = ETH_BRIDGING, .key = htonl(vni)};
    return bpf_skb_store_bytes(skb, sizeof(*outer), &gre, sizeof(gre), 0) != 0;
  }
  /* RFC 7348 §5: the port spreads flows over links. */
  u16 port = 49152 + (bpf_get_hash_recalc(skb) & 0x3fff);
  struct vxlan vxlan = {
    .src_port = htons(port), .dst_port = VXLAN_PORT, .length = htons(length - 20), .flags = VXLAN_HAS_VNI, .vni = htonl(vni << 8)};
  return bpf_skb_store_bytes(skb, sizeof(*outer), &vxlan, sizeof(vxlan), 0) != 0;
}

INLINE void round_of(struct copying *copying, u32 offset, u32 members) {
  if (members == 0) return;
  copying->offset = offset;
  share(copying);
  bpf_loop(members > MAX_MEMBERS ? MAX_MEMBERS : members, copy_to, copying, 0);
}

#endif
