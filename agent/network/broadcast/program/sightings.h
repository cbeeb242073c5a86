/* Which addresses guests announce: gratuitous ARP and unsolicited neighbour advertisements. */
#ifndef HOLDFAST_SIGHTINGS_H
#define HOLDFAST_SIGHTINGS_H

#include "frames.h"
#include "maps.h"

static __attribute__((noinline)) int sight(struct sighting_event *event) {
  u32 key = 0;
  u64 *last = bpf_map_lookup_elem(&sequence, &key);
  if (!last) return 0;
  event->value.sequence = __sync_fetch_and_add(last, 1) + 1;
  event->value.at_ns = bpf_ktime_get_ns();
  bpf_map_update_elem(&sightings, &event->key, &event->value, BPF_ANY);
  bpf_ringbuf_output(&events, event, sizeof(*event), 0);
  return 0;
}

/* Gratuitous ARP (RFC 5227 §3): sender and target are one address. */
INLINE void sniff_arp(struct __sk_buff *skb, u32 vni, be32 host, u32 at) {
  struct arp arp;
  if (bpf_skb_load_bytes(skb, at, &arp, sizeof(arp))) return;
  if (arp.hardware != htons(1) || arp.protocol != ETH_IP || arp.hardware_len != 6 || arp.protocol_len != 4) return;
  if ((arp.op != htons(1) && arp.op != htons(2)) || arp.sender != arp.target || arp.sender == 0) return;
  if (arp.sender_mac[0] & 1) return;
  struct sighting_event event = {.key = {.vni = vni, .family = 4}, .value = {.host = host}};
  be32 sender = arp.sender;
  __builtin_memcpy(event.key.address, &sender, 4);
  copy_mac(event.value.mac, arp.sender_mac);
  sight(&event);
}

/* Unsolicited neighbour advertisement (RFC 4861 §7.2.6): to a multicast address, not an answer, with the new link-layer address. */
INLINE void sniff_advertisement(struct __sk_buff *skb, u32 vni, be32 host, u32 at) {
  struct advertisement na;
  struct link_option option;
  if (bpf_skb_load_bytes(skb, at, &na, sizeof(na))) return;
  if (na.next_header != IP_ICMPV6 || na.hop_limit != 255 || na.dst[0] != 0xff || ntohs(na.payload_length) < 24 + sizeof(option)) return;
  if (na.type != 136 || na.code != 0 || na.flags & 0x40 || na.target[0] == 0xff) return;
  if (bpf_skb_load_bytes(skb, at + sizeof(na), &option, sizeof(option))) return;
  if (option.type != 2 || option.length != 1 || option.mac[0] & 1) return;
  struct sighting_event event = {.key = {.vni = vni, .family = 6}, .value = {.host = host}};
  __builtin_memcpy(event.key.address, na.target, 16);
  copy_mac(event.value.mac, option.mac);
  sight(&event);
}

#endif
