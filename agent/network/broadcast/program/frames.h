/* Headers as they stand in frames, and what is done with them. */
#ifndef HOLDFAST_FRAMES_H
#define HOLDFAST_FRAMES_H

#include "kernel.h"

#define ETH_ARP htons(0x0806)
#define ETH_IP htons(0x0800)
#define ETH_IPV6 htons(0x86dd)
#define ETH_BRIDGING htons(0x6558)
#define IP_UDP 17
#define IP_GRE 47
#define IP_ICMPV6 58
#define IP_VRRP 112
#define VXLAN_PORT htons(4789)
#define BFD_PORT htons(3784)
#define VXLAN_HAS_VNI htonl(0x08000000)
#define GRE_HAS_KEY htons(0x2000)
#define IP_FRAGMENT htons(0x3fff)
#define PACKED __attribute__((packed))

/* What comes before a tunnel's own header. */
struct outer {
  u8 dst_mac[6], src_mac[6];
  be16 type;
  u8 version_ihl, tos;
  be16 length, id, fragment;
  u8 ttl, protocol;
  be16 check;
  be32 src, dst;
} PACKED;

struct vxlan {
  be16 src_port, dst_port, length, check;
  be32 flags, vni;
} PACKED;

struct gre {
  be16 flags, type;
  be32 key;
} PACKED;

struct ethernet {
  u8 dst[6], src[6];
  be16 type;
} PACKED;

struct arp {
  be16 hardware, protocol;
  u8 hardware_len, protocol_len;
  be16 op;
  u8 sender_mac[6];
  be32 sender;
  u8 target_mac[6];
  be32 target;
} PACKED;

struct bfd_frame {
  struct ethernet ethernet;
  u8 version_ihl, tos;
  be16 length, id, fragment;
  u8 ttl, protocol;
  be16 check;
  be32 src, dst;
  be16 src_port, dst_port, udp_length, udp_check;
  u8 version_diagnostic, state_flags, detect_multiplier, bfd_length;
  be32 my_discriminator, your_discriminator, min_tx, min_rx, min_echo_rx;
} PACKED;

/* IPv6 header and a neighbour advertisement (RFC 4861) with its first option. */
struct advertisement {
  be32 version_class_flow;
  be16 payload_length;
  u8 next_header, hop_limit;
  u8 src[16], dst[16];
  u8 type, code;
  be16 check;
  u8 flags, reserved[3];
  u8 target[16];
} PACKED;

struct link_option {
  u8 type, length, mac[6];
} PACKED;

/* IPv4 header without options, and the beginning of a VRRP advertisement (RFC 5798 §5). */
struct vrrp {
  u8 version_ihl, tos;
  be16 length, id, fragment;
  u8 ttl, protocol;
  be16 check;
  be32 src, dst;
  u8 version_type, router;
} PACKED;

/* The same of IPv6. */
struct vrrp6 {
  be32 version_class_flow;
  be16 payload_length;
  u8 next_header, hop_limit;
  u8 src[16], dst[16];
  u8 version_type, router;
} PACKED;

INLINE int same_mac(const u8 *one, const u8 *other) {
  u8 differing = 0;
#pragma unroll
  for (int index = 0; index < 6; index++) differing |= one[index] ^ other[index];
  return differing == 0;
}

INLINE void copy_mac(u8 *to, const u8 *from) {
  __builtin_memcpy(to, from, 6);
}

/* Sum of the IP header's words, carries in the upper half; 0xffff after folding if it holds its own right checksum. */
INLINE u32 sum_of(const struct outer *outer) {
  const u16 *words = (const u16 *)&outer->version_ihl;
  u32 sum = 0;
#pragma unroll
  for (int index = 0; index < 10; index++) sum += words[index];
  return sum;
}

INLINE u16 fold(u32 sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  return (sum & 0xffff) + (sum >> 16);
}

/* Without options, whole, and with the checksum that it must have. */
INLINE int is_plain(const struct outer *outer) {
  return outer->version_ihl == 0x45 && !(outer->fragment & IP_FRAGMENT) && fold(sum_of(outer)) == 0xffff;
}

/* `length`: of the outer IP packet. */
INLINE int has_vni(const struct vxlan *vxlan, u32 length) {
  return vxlan->flags & VXLAN_HAS_VNI && ntohs(vxlan->length) == length - 20;
}

INLINE int has_key(const struct gre *gre) {
  return gre->flags == GRE_HAS_KEY && gre->type == ETH_BRIDGING;
}

#endif
