/*
 * VLAN tags of a lab switch, for kernels whose bridges and devices know none (CONFIG_BRIDGE_VLAN_FILTERING, CONFIG_VLAN_8021Q).
 * A port that carries tagged frames has a pair of devices for each VLAN: the inner one is in the VLAN's bridge; the outer one's number
 * is the port's times 4096 plus the VLAN's. A frame of a VLAN for which there is no such device is dropped, as a redirect to nowhere is.
 */
typedef unsigned int u32;
typedef unsigned long long u64;

/* linux/bpf.h: the part of it up to what is used here; numbers are ABI. */
struct __sk_buff {
  u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority, ingress_ifindex, ifindex;
};
static long (*bpf_skb_vlan_push)(struct __sk_buff *skb, unsigned short proto, unsigned short tci) = (void *)18;
static long (*bpf_skb_vlan_pop)(struct __sk_buff *skb) = (void *)19;
static long (*bpf_redirect)(u32 ifindex, u64 flags) = (void *)23;

enum { TC_ACT_OK = 0, TC_ACT_SHOT = 2 };
enum { VLAN_BITS = 12, VLAN_MASK = 0xfff };
#define SEC(name) __attribute__((section(name), used))

/* At a port, for what comes in: a tagged frame goes to its VLAN, the rest on to the port's own bridge. */
SEC("tc/untag") int untag(struct __sk_buff *skb) {
  u32 vlan = skb->vlan_tci & VLAN_MASK;
  if (!skb->vlan_present || vlan == 0) return TC_ACT_OK;
  return bpf_skb_vlan_pop(skb) ? TC_ACT_SHOT : bpf_redirect(skb->ifindex << VLAN_BITS | vlan, 0);
}

/* At an outer device, for what its VLAN's bridge sends to the port. */
SEC("tc/tag") int tag(struct __sk_buff *skb) {
  u32 vlan = skb->ifindex & VLAN_MASK;
  return bpf_skb_vlan_push(skb, __builtin_bswap16(0x8100), vlan) ? TC_ACT_SHOT : bpf_redirect(skb->ifindex >> VLAN_BITS, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
