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

/* When a virtual router's master was last heard of. Each family has routers of its own: RFC 5798 §1. */
INLINE void hear_master(u32 vni, be32 host, u8 family, u8 router, const u8 *sender_mac) {
  struct sighting_key key = {.vni = vni, .family = IP_VRRP};
  struct sighting value = {.host = host, .at_ns = bpf_ktime_get_ns()};
  key.address[0] = router;
  __builtin_memcpy(key.address + 1, sender_mac, 6);
  key.address[7] = family;
  copy_mac(value.mac, sender_mac);
  bpf_map_update_elem(&sightings, &key, &value, BPF_ANY);
}

INLINE void sniff_vrrp(struct __sk_buff *skb, u32 vni, be32 host, u32 at, const u8 *sender_mac) {
  struct vrrp vrrp;
  if (bpf_skb_load_bytes(skb, at, &vrrp, sizeof(vrrp))) return;
  if (vrrp.version_ihl != 0x45 || vrrp.protocol != IP_VRRP || vrrp.ttl != 255 || (vrrp.version_type & 15) != 1) return;
  hear_master(vni, host, 4, vrrp.router, sender_mac);
}

INLINE void sniff_vrrp6(struct __sk_buff *skb, u32 vni, be32 host, u32 at, const u8 *sender_mac) {
  struct vrrp6 vrrp;
  if (bpf_skb_load_bytes(skb, at, &vrrp, sizeof(vrrp))) return;
  if (vrrp.next_header != IP_VRRP || vrrp.hop_limit != 255 || vrrp.version_type != 0x31) return;
  hear_master(vni, host, 6, vrrp.router, sender_mac);
}

/* What a frame in a tunnel announces; `at`: where it begins, `host`: whom it came from. */
INLINE void sniff(struct __sk_buff *skb, u32 vni, be32 host, u32 at, const struct ethernet *ethernet) {
  u32 upper = at + sizeof(*ethernet);
  if (ethernet->type == ETH_ARP) sniff_arp(skb, vni, host, upper);
  else if (ethernet->type == ETH_IPV6) {
    sniff_advertisement(skb, vni, host, upper);
    if (ethernet->dst[0] & 1) sniff_vrrp6(skb, vni, host, upper, ethernet->src);
  } else if (ethernet->type == ETH_IP && ethernet->dst[0] & 1) sniff_vrrp(skb, vni, host, upper, ethernet->src);
}

/* A copy that another replicator sent to this host. Whom it was from is not in it any more. */
INLINE void sniff_copy(struct __sk_buff *skb, const struct outer *outer) {
  u32 key = 0;
  be32 from = outer->src;
  struct settings *host = bpf_map_lookup_elem(&settings, &key);
  if (!host || host->host != outer->dst) return;
  struct address *sender = bpf_map_lookup_elem(&addresses, &from);
  if (!sender || sender->local) return;
  u32 at, vni;
  if (outer->protocol == IP_UDP) {
    struct vxlan vxlan;
    if (bpf_skb_load_bytes(skb, sizeof(*outer), &vxlan, sizeof(vxlan)) || vxlan.dst_port != VXLAN_PORT) return;
    at = sizeof(*outer) + sizeof(vxlan);
    vni = ntohl(vxlan.vni) >> 8;
  } else {
    struct gre gre;
    if (bpf_skb_load_bytes(skb, sizeof(*outer), &gre, sizeof(gre)) || gre.flags != GRE_HAS_KEY) return;
    at = sizeof(*outer) + sizeof(gre);
    vni = ntohl(gre.key);
  }
  struct ethernet ethernet;
  if (!bpf_skb_load_bytes(skb, at, &ethernet, sizeof(ethernet))) sniff(skb, vni, 0, at, &ethernet);
}

#endif
