/*
 * The data path of a broadcast node, at the NIC that carries tunnels. A frame in VXLAN (RFC 7348) or in GRE with a key (RFC 2784, RFC 2890)
 * to an address of the replicator goes out again once to every member host of its VNI but the one that it came from. ARP for such an address
 * is answered here, and BFD (RFC 5880) as Open vSwitch speaks it inside of tunnels, so that both say: the replicator lives, whatever Open
 * vSwitch and the agent do. All else is passed on untouched.
 *
 * Bytes are read and written by helpers alone. Direct writes would have the kernel copy the head of every packet of the host that
 * somebody else listens to, as Open vSwitch does at this NIC (tc_cls_act_prologue in net/core/filter.c).
 */
#include "answers.h"
#include "copies.h"
#include "fast.h"
#include "limit.h"
#include "sightings.h"

SEC("tcx/ingress") int replicate(struct __sk_buff *skb) {
  struct totals *total = count();
  if (!total) return TCX_NEXT;
  struct copying copying = {.skb = skb, .ifindex = skb->ifindex};
  struct outer *outer = &copying.outer;
  if (skb->vlan_present) return pass(total);
  if (skb->protocol == ETH_ARP) return answer_arp(skb, total);
  if (skb->protocol != ETH_IP || bpf_skb_load_bytes(skb, 0, outer, sizeof(*outer))) return pass(total);
  if (outer->protocol != IP_UDP && outer->protocol != IP_GRE) return pass(total);
  be32 dst = outer->dst;
  struct address *address = bpf_map_lookup_elem(&addresses, &dst);
  if (!address || !address->local || !same_mac(outer->dst_mac, address->mac)) {
    sniff_copy(skb, outer);
    return pass(total);
  }

  /* From here on it is the replicator's own. */
  if (!is_plain(outer)) return drop(total, 0, BAD_HEADER);
  u32 length = ntohs(outer->length);
  u32 tunnel, vni;
  if (outer->protocol == IP_UDP) {
    struct vxlan vxlan;
    tunnel = sizeof(*outer) + sizeof(vxlan);
    if (length + 14 > skb->len || length + 14 < tunnel + sizeof(struct ethernet)) return drop(total, 0, TRUNCATED);
    if (bpf_skb_load_bytes(skb, sizeof(*outer), &vxlan, sizeof(vxlan))) return drop(total, 0, TRUNCATED);
    if (vxlan.dst_port != VXLAN_PORT) return pass(total);
    if (!has_vni(&vxlan, length)) return drop(total, 0, BAD_HEADER);
    vni = ntohl(vxlan.vni) >> 8;
    copying.has_check = vxlan.check != 0;
  } else {
    struct gre gre;
    tunnel = sizeof(*outer) + sizeof(gre);
    if (length + 14 > skb->len || length + 14 < tunnel + sizeof(struct ethernet)) return drop(total, 0, TRUNCATED);
    if (bpf_skb_load_bytes(skb, sizeof(*outer), &gre, sizeof(gre))) return drop(total, 0, TRUNCATED);
    if (!has_key(&gre)) return drop(total, 0, BAD_HEADER);
    vni = ntohl(gre.key);
  }
  struct ethernet ethernet;
  if (bpf_skb_load_bytes(skb, tunnel, &ethernet, sizeof(ethernet))) return drop(total, 0, TRUNCATED);
  be32 from = outer->src;
  void *source = bpf_map_lookup_elem(&addresses, &from);
  if (!source && is_bfd(&ethernet)) return answer_bfd(skb, total, outer, address, tunnel);

  void *members = bpf_map_lookup_elem(&vnis, &vni);
  struct vni_counters *counter = bpf_map_lookup_elem(&counters, &vni);
  if (!members || !counter) return drop(total, 0, UNKNOWN_VNI);
  counter->frames++;
  if (source) return drop(total, counter, LOOP);
  u32 key = 0;
  struct settings *host = bpf_map_lookup_elem(&settings, &key);
  struct head *head = bpf_map_lookup_elem(members, &key);
  if (!host || !head) return drop(total, counter, UNKNOWN_VNI);
  u32 mtu_bytes = host->mtu_bytes;
  if (skb->len > mtu_bytes + 14) return drop(total, counter, OVERSIZE);
  if (!admitted(vni)) return drop(total, counter, STORM);

  sniff(skb, vni, from, tunnel, &ethernet);

  copying.members = members;
  copying.from = from;
  copy_mac(outer->src_mac, address->mac);
  outer->src = dst;
  copying.checked_dst = dst;
  if (copying.has_check) bpf_l4_csum_replace(skb, sizeof(*outer) + 6, from, dst, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0 | sizeof(dst));
  int is_vxlan = outer->protocol == IP_UDP;
  u32 vxlan_members = head->vxlan, gre_members = head->gre;
  skb->tc_index = COPY;
  round_of(&copying, is_vxlan ? 1 : 1 + vxlan_members, is_vxlan ? vxlan_members : gre_members);
  counter->copies += copying.copies;
  counter->bytes += copying.copies * skb->len;
  u32 others = is_vxlan ? gre_members : vxlan_members;
  if (others) {
    copying.copies = 0;
    if (convert(&copying, vni, mtu_bytes)) copying.failed += others;
    else round_of(&copying, is_vxlan ? 1 + vxlan_members : 1, others);
    counter->copies += copying.copies;
    counter->bytes += copying.copies * skb->len;
  }
  counter->failed += copying.failed;
  total->replicated++;
  return TCX_DROP;
}

/* What this host itself sends to its own replicator: no switch would bring it back. */
SEC("tcx/egress") int hairpin(struct __sk_buff *skb) {
  struct address *address = 0;
  if (skb->tc_index == COPY) return TCX_NEXT;
  if (skb->protocol == ETH_ARP) {
    struct arp arp;
    address = asked_for(skb, &arp);
  } else if (skb->protocol == ETH_IP) {
    be32 dst;
    if (bpf_skb_load_bytes(skb, sizeof(struct ethernet) + 16, &dst, sizeof(dst))) return TCX_NEXT;
    address = bpf_map_lookup_elem(&addresses, &dst);
  }
  if (!address || !address->local) return TCX_NEXT;
  struct totals *total = count();
  if (total) total->hairpinned++;
  return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

char _license[] SEC("license") = "Dual BSD/GPL";
