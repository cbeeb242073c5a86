/* What the program answers by itself: ARP for addresses of the replicator, and BFD. */
#ifndef HOLDFAST_ANSWERS_H
#define HOLDFAST_ANSWERS_H

#include "frames.h"
#include "maps.h"

#define ANY_INTERVAL_US 1000

/* The answer takes the way that the question came: this host's own questions never leave it. */
INLINE int answer(struct __sk_buff *skb, be32 asker) {
  u32 key = 0;
  struct settings *host = bpf_map_lookup_elem(&settings, &key);
  return bpf_redirect(skb->ifindex, asker && host && host->host == asker ? BPF_F_INGRESS : 0);
}

/* The address that an ARP request asks for, if it is for this replicator to answer: not an announcement by somebody else. */
INLINE struct address *asked_for(struct __sk_buff *skb, struct arp *arp) {
  if (bpf_skb_load_bytes(skb, sizeof(struct ethernet), arp, sizeof(*arp))) return 0;
  if (arp->hardware != htons(1) || arp->protocol != ETH_IP || arp->hardware_len != 6 || arp->protocol_len != 4) return 0;
  if (arp->op != htons(1) || arp->sender == arp->target) return 0;
  be32 target = arp->target;
  struct address *address = bpf_map_lookup_elem(&addresses, &target);
  return address && address->local ? address : 0;
}

/* Whoever announces the floating address has it now (RFC 5227 §2.4 c): two would copy everything twice. */
INLINE void yield_to(const struct arp *arp) {
  if (arp->sender != arp->target || arp->sender == 0) return;
  be32 sender = arp->sender;
  struct address *address = bpf_map_lookup_elem(&addresses, &sender);
  if (address && address->local == FLOATING) address->local = ANOTHERS;
}

INLINE int answer_arp(struct __sk_buff *skb, struct totals *total) {
  struct {
    struct ethernet ethernet;
    struct arp arp;
  } PACKED frame = {};
  struct arp request = {};
  struct address *address = asked_for(skb, &request);
  if (!address) {
    yield_to(&request);
    return pass(total);
  }
  copy_mac(frame.ethernet.dst, request.sender_mac);
  copy_mac(frame.ethernet.src, address->mac);
  frame.ethernet.type = ETH_ARP;
  frame.arp = request;
  frame.arp.op = htons(2);
  copy_mac(frame.arp.sender_mac, address->mac);
  frame.arp.sender = request.target;
  copy_mac(frame.arp.target_mac, request.sender_mac);
  frame.arp.target = request.sender;
  if (bpf_skb_store_bytes(skb, 0, &frame, sizeof(frame), 0)) return pass(total);
  total->arp_answers++;
  return answer(skb, request.sender);
}

/* Open vSwitch's bfd.c: IPv4 to this MAC, without options. */
INLINE int is_bfd(const struct ethernet *ethernet) {
  const u8 *mac = ethernet->dst;
  return ethernet->type == ETH_IP && mac[0] == 0x00 && mac[1] == 0x23 && mac[2] == 0x20 && mac[3] == 0x00 && mac[4] == 0x00 && mac[5] == 0x01;
}

/*
 * RFC 5880 §6.8.6 without a state of its own: what the peer says of itself decides. It sends as often as the peer does, so it takes over
 * the peer's interval and multiplier. It takes any interval, and says so from the first: Open vSwitch hears of a new one only when the one
 * before is over, which would be later than it waits for.
 */
INLINE int answer_bfd(struct __sk_buff *skb, struct totals *total, struct outer *outer, const struct address *address, u32 inner) {
  enum { ADMIN_DOWN, DOWN, INIT, UP };
  struct bfd_frame bfd;
  if (bpf_skb_load_bytes(skb, inner, &bfd, sizeof(bfd))) return drop(total, 0, TRUNCATED);
  if (bfd.version_ihl != 0x45 || bfd.protocol != IP_UDP || bfd.dst_port != BFD_PORT || bfd.ttl != 255) return drop(total, 0, BAD_HEADER);
  /* Version 1, no authentication, not multipoint. */
  if (bfd.version_diagnostic >> 5 != 1 || bfd.state_flags & 0x05 || bfd.bfd_length != 24) return drop(total, 0, BAD_HEADER);
  if (bfd.my_discriminator == 0 || bfd.detect_multiplier == 0) return drop(total, 0, BAD_HEADER);

  u8 theirs = bfd.state_flags >> 6;
  u8 ours = theirs == ADMIN_DOWN ? DOWN : theirs == DOWN ? INIT : UP;
  u8 final = bfd.state_flags & 0x20 ? 0x10 : 0;
  bfd.version_diagnostic = 1 << 5;
  bfd.state_flags = ours << 6 | final;
  bfd.your_discriminator = bfd.my_discriminator;
  bfd.my_discriminator = outer->dst;
  bfd.min_rx = htonl(ANY_INTERVAL_US);
  bfd.min_echo_rx = 0;
  be32 inner_src = bfd.src;
  bfd.src = bfd.dst;
  bfd.dst = inner_src;
  bfd.udp_check = 0;
  struct ethernet ethernet = bfd.ethernet;
  copy_mac(bfd.ethernet.dst, ethernet.src);
  copy_mac(bfd.ethernet.src, ethernet.dst);

  be32 asker = outer->src;
  copy_mac(outer->dst_mac, outer->src_mac);
  copy_mac(outer->src_mac, address->mac);
  outer->src = outer->dst;
  outer->dst = asker;
  outer->ttl = 64;
  outer->check = 0;
  outer->check = ~fold(sum_of(outer));
  be16 no_check = 0;
  if (bpf_skb_store_bytes(skb, inner, &bfd, sizeof(bfd), 0)) return drop(total, 0, BAD_HEADER);
  if (bpf_skb_store_bytes(skb, 0, outer, sizeof(*outer), 0)) return drop(total, 0, BAD_HEADER);
  if (outer->protocol == IP_UDP && bpf_skb_store_bytes(skb, sizeof(*outer) + 6, &no_check, sizeof(no_check), 0)) {
    return drop(total, 0, BAD_HEADER);
  }
  total->bfd_answers++;
  return answer(skb, asker);
}

#endif
