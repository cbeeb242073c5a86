/*
 * The fast path, before TC: a frame that needs nothing but copies becomes them without the kernel's buffers. The NIC gets it once for each
 * entry of a devmap that has as many as there are members but the source, and on its way out each copy is given its member's addresses. All
 * else is passed on, and TC does with it what it does without this: what has to be answered, told, converted, refused or counted as dropped,
 * and lists with this very host in them. A VLAN tag that the NIC takes off would not be seen here: frames in a VLAN must not have the
 * replicator's MAC.
 *
 * Which entry a copy came by nobody tells. But a processor makes the copies of its frames in the order in which it handed the frames over, so
 * it counts them; and each carries what frame it is of, so that a frame that was not copied to the end does not shift those after it.
 */
#ifndef HOLDFAST_FAST_H
#define HOLDFAST_FAST_H

#include "answers.h"
#include "frames.h"
#include "limit.h"
#include "maps.h"

#define WATCH_VNI 0xffffff
#define PROBE_LIST 0xffffffff
/* Longer than any round of a NIC. A frame of which not all copies could be made would else look as if it was still under way. */
#define STALE_NS 100000000ull
/* For so long after a loss TC copies, which has a queue. */
#define PAUSE_NS 1000000000ull

/* The outer header of a frame between its arrival and its copies: in place of what each copy gets of its own. */
struct carried {
  u32 list;
  /* The source's place in it, which gets none; 0: it is not in it. */
  u16 skip;
  u8 src_mac[6];
  be16 type;
  u8 before_check[10];
  /* Sum of the words of the header, without the destination. */
  u16 sum;
  be32 src;
  u32 sequence;
} __attribute__((packed, aligned(2)));

INLINE struct hand_over *hand_over(void) {
  u32 key = 0;
  return bpf_map_lookup_elem(&hand_overs, &key);
}

/* Whether the NIC may be given so many copies more. It has no queue: what it cannot take at once is lost. */
INLINE int fits(struct hand_over *over, u32 copies, u32 burst_copies) {
  u64 now = bpf_ktime_get_ns();
  if (over->lost_at_ns && now - over->lost_at_ns < PAUSE_NS) return 0;
  int done = over->copied == over->sequence && over->made >= over->copies;
  if (done || now - over->at_ns > STALE_NS) over->burst = 0;
  if (over->burst + copies > burst_copies) return 0;
  over->at_ns = now;
  return 1;
}

/* Has the frame become copies to a list. The outer header must have its source already. */
INLINE int hand(struct outer *outer, struct hand_over *over, void *fanout, u32 copies, u32 list, u32 skip) {
  struct carried *carried = (void *)outer;
  outer->ttl = 64;
  outer->check = 0;
  outer->dst = 0;
  carried->sum = fold(sum_of(outer));
  carried->list = list;
  carried->skip = skip;
  carried->sequence = ++over->sequence;
  over->copies = copies;
  over->burst += copies;
  return bpf_redirect_map(fanout, 0, BPF_F_BROADCAST);
}

struct search {
  void *members;
  be32 ip;
  u32 found;
};

static long search_at(u32 index, void *context) {
  struct search *search = context;
  u32 key = 1 + index;
  struct member *member = bpf_map_lookup_elem(search->members, &key);
  if (!member) return 1;
  if (member->ip != search->ip) return 0;
  search->found = key;
  return 1;
}

/* Whether it may say something of an address or of a virtual router: sightings.h reads those, at TC. */
INLINE int may_announce(const struct ethernet *ethernet, const void *end) {
  const void *upper = ethernet + 1;
  if (ethernet->type == ETH_ARP) {
    const struct arp *arp = upper;
    return (const void *)(arp + 1) > end || arp->sender == arp->target;
  }
  if (ethernet->type == ETH_IPV6) {
    const struct advertisement *na = upper;
    return (const void *)(na + 1) > end || (na->next_header == IP_ICMPV6 && na->type == 136) || na->next_header == IP_VRRP;
  }
  if (ethernet->type == ETH_IP) {
    const struct vrrp *vrrp = upper;
    return (const void *)(vrrp + 1) > end || vrrp->protocol == IP_VRRP;
  }
  return 0;
}

/* Of what comes to where this host's tunnels end: answers to the copies of a test. Which copy it was the UDP port says. */
INLINE int count_answer(const struct outer *outer, const void *end) {
  const struct vxlan *vxlan = (const void *)(outer + 1);
  const struct bfd_frame *bfd = (const void *)(vxlan + 1);
  u32 key = 0;
  struct fast *state = bpf_map_lookup_elem(&fast, &key);
  if (!state || (const void *)(bfd + 1) > end || outer->protocol != IP_UDP || vxlan->dst_port != VXLAN_PORT) return XDP_PASS;
  if (vxlan->vni != htonl(WATCH_VNI << 8) || bfd->dst_port != BFD_PORT || bfd->your_discriminator != state->probe) return XDP_PASS;
  u32 number = ntohs(vxlan->src_port);
  if (number < PROBE_COPIES) __sync_fetch_and_add(&state->answers[number], 1);
  return XDP_DROP;
}

SEC("xdp") int replicate_fast(struct xdp_md *xdp) {
  void *data = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;
  struct outer *outer = data;
  if ((void *)(outer + 1) > end || outer->type != ETH_IP) return XDP_PASS;
  be32 dst = outer->dst, from = outer->src;
  u32 size = end - data, length = ntohs(outer->length), key = 0;
  struct settings *host = bpf_map_lookup_elem(&settings, &key);
  if (!host) return XDP_PASS;
  if (host->host == dst) return count_answer(outer, end);
  struct address *address = bpf_map_lookup_elem(&addresses, &dst);
  if (!address || !address->local || !same_mac(outer->dst_mac, address->mac)) return XDP_PASS;
  if (!is_plain(outer) || length + 14 > size) return XDP_PASS;
  struct ethernet *ethernet;
  u32 vni;
  if (outer->protocol == IP_UDP) {
    struct vxlan *vxlan = (void *)(outer + 1);
    ethernet = (void *)(vxlan + 1);
    if ((void *)(ethernet + 1) > end || vxlan->dst_port != VXLAN_PORT || !has_vni(vxlan, length) || vxlan->check) return XDP_PASS;
    vni = ntohl(vxlan->vni) >> 8;
  } else if (outer->protocol == IP_GRE) {
    struct gre *gre = (void *)(outer + 1);
    ethernet = (void *)(gre + 1);
    if ((void *)(ethernet + 1) > end || !has_key(gre)) return XDP_PASS;
    vni = ntohl(gre->key);
  } else {
    return XDP_PASS;
  }
  if (bpf_map_lookup_elem(&addresses, &from) || length + 14 < (void *)(ethernet + 1) - data || is_bfd(ethernet) || may_announce(ethernet, end)) return XDP_PASS;

  struct fast *state = bpf_map_lookup_elem(&fast, &key);
  struct totals *total = count();
  void *members = bpf_map_lookup_elem(&vnis, &vni);
  struct vni_counters *counter = bpf_map_lookup_elem(&counters, &vni);
  struct hand_over *over = hand_over();
  if (!state || !state->burst_copies || !total || !members || !counter || !over) return XDP_PASS;
  struct head *head = bpf_map_lookup_elem(members, &key);
  if (!head || !head->list || size > host->mtu_bytes + 14) return XDP_PASS;
  u32 copies = outer->protocol == IP_UDP ? head->vxlan : head->gre;
  struct search search = {.members = members, .ip = from};
  bpf_loop(copies > MAX_MEMBERS ? MAX_MEMBERS : copies, search_at, &search, 0);
  if (search.found) copies--;
  void *fanout = bpf_map_lookup_elem(&fanouts, &copies);
  /* The limit comes last: whoever was let in by it must not be asked again at TC. */
  if (!fanout || !fits(over, copies, state->burst_copies) || !admitted(vni)) return XDP_PASS;

  counter->frames++;
  counter->copies += copies;
  counter->bytes += (u64)copies * size;
  total->replicated++;
  copy_mac(outer->src_mac, address->mac);
  outer->src = dst;
  return hand(outer, over, fanout, copies, head->list, search.found);
}

/* What the agent runs to test the NIC: a frame whose destination is how many copies there are to be, all to other replicators. */
SEC("xdp/probe") int probe(struct xdp_md *xdp) {
  void *data = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;
  struct outer *outer = data;
  if ((void *)(outer + 1) > end) return XDP_DROP;
  u32 copies = outer->dst;
  struct hand_over *over = hand_over();
  void *fanout = bpf_map_lookup_elem(&fanouts, &copies);
  if (!over || !fanout) return XDP_DROP;
  over->at_ns = bpf_ktime_get_ns();
  return hand(outer, over, fanout, copies, PROBE_LIST, 0);
}

SEC("xdp/devmap") int address_copy(struct xdp_md *xdp) {
  void *data = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;
  struct outer *outer = data;
  struct carried *carried = data;
  struct vxlan *vxlan = (void *)(outer + 1);
  struct hand_over *over = hand_over();
  if ((void *)(vxlan + 1) > end || !over) return XDP_DROP;
  if (over->copied != carried->sequence) {
    over->copied = carried->sequence;
    over->made = 0;
  }
  u32 key = ++over->made, list = carried->list, skip = carried->skip, sum = carried->sum;
  if (skip && key >= skip) key++;
  over->given++;
  over->list = list;
  void *members = bpf_map_lookup_elem(&lists, &list);
  struct member *member = members ? bpf_map_lookup_elem(members, &key) : 0;
  if (!member) return XDP_DROP;
  be32 ip = member->ip;
  copy_mac(outer->dst_mac, member->mac);
  outer->dst = ip;
  outer->check = ~fold(sum + (ip & 0xffff) + (ip >> 16));
  if (list == PROBE_LIST) vxlan->src_port = htons(key - 1);
  return XDP_PASS;
}

/* xdp_devmap_xmit of include/trace/events/xdp.h: a processor has given a NIC what it had for it, and the NIC took some of it. */
struct given {
  u64 from, to, taken, refused, error;
};

SEC("raw_tp/xdp_devmap_xmit") int count_lost(struct given *given) {
  struct hand_over *over = hand_over();
  if (!over || !over->given) return 0;
  over->given = 0;
  u32 lost = given->refused, vni = (over->list - 1) >> 1;
  if (!lost) return 0;
  over->lost_at_ns = bpf_ktime_get_ns();
  /* The last of them are refused, so it is mostly the last list's. */
  struct vni_counters *counter = bpf_map_lookup_elem(&counters, &vni);
  if (counter) {
    counter->failed += lost;
    counter->copies -= lost;
  }
  return 0;
}

#endif
