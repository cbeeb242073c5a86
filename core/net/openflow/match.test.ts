import { describe, expect, it } from 'vitest'
import { at } from './fields.ts'
import { parseMatch } from './match.ts'

const word = (index: number, value: number, mask = 0xffff_ffff) => ({ word: index, value, mask })
const ip = word(at.etherType, 0x0800, 0xffff)
const ipv6 = word(at.etherType, 0x86dd, 0xffff)
const tcp = word(at.protocol, 6, 0xff)

describe('matches', () => {
  it.each([
    ['', []],
    ['in_port=LOCAL', [word(at.inPort, 0xfffe, 0xffff)]],
    ['dl_dst=01:00:00:00:00:00/01:00:00:00:00:00', [word(at.ethDst, 0x0100, 0x0100)]],
    ['eth_src=02:00:00:00:00:0a', [word(at.ethSrc, 0x0200, 0xffff), word(at.ethSrc + 1, 0x0a)]],
    ['ip,nw_dst=10.1.2.3/8', [ip, word(at.ip4Dst, 0x0a00_0000, 0xff00_0000)]],
    ['ip,nw_src=10.0.0.1/255.0.0.255', [ip, word(at.ip4Src, 0x0a00_0001, 0xff00_00ff)]],
    ['dl_type=0x0800,nw_proto=6,tp_dst=0x50/0xfff0', [ip, tcp, word(at.l4Dst, 0x50, 0xfff0)]],
    ['tcp6,tcp_flags=+syn-ack', [ipv6, tcp, word(at.flags, 2, 0x12)]],
    ['tcp,tcp_flags=syn|ack', [ip, tcp, word(at.flags, 0x12, 0xfff)]],
    ['tcp,tcp_flags=0x2/0x2', [ip, tcp, word(at.flags, 2, 2)]],
    ['ipv6,ipv6_dst=fd00::1/64', [ipv6, word(at.ip6Dst, 0xfd00_0000), word(at.ip6Dst + 1, 0)]],
    ['ip,ip_frag=not_later', [ip, word(at.fragment, 0, 2)]],
    ['ip,nw_frag=first', [ip, word(at.fragment, 1, 3)]],
    ['ip,nw_tos=32', [ip, word(at.tos, 32, 0xfc)]],
    ['ip,ip_dscp=8', [ip, word(at.tos, 32, 0xfc)]],
    ['ip,nw_ecn=1', [ip, word(at.tos, 1, 3)]],
    ['icmp6,icmp_type=135,icmp_code=0', [ipv6, word(at.protocol, 58, 0xff), word(at.l4Src, 135, 0xff), word(at.l4Dst, 0, 0xff)]],
    ['vlan_tci=0x0000/0x1fff', [word(at.vlan, 0, 0x1fff)]],
    ['dl_vlan=10', [word(at.vlan, 0x100a, 0x1fff)]],
    ['dl_vlan=10,dl_vlan_pcp=3', [word(at.vlan, 0x700a, 0xffff)]],
    ['dl_vlan=0xffff', [word(at.vlan, 0, 0xffff)]],
    ['vlan_vid=0x1000/0x1000', [word(at.vlan, 0x1000, 0x1000)]],
    ['reg0=5,xreg1=0x100000002', [word(at.registers, 5), word(at.registers + 2, 1), word(at.registers + 3, 2)]],
    ['xxreg1=0x10000000000000000/0x10000000000000000', [word(at.registers + 5, 1, 1)]],
    ['metadata=0x5/0xf', [word(at.metadata + 1, 5, 0xf)]],
    ['tun_id=0x4d,tun_dst=192.0.2.1', [word(at.tunId, 0), word(at.tunId + 1, 77), word(at.tunDst, 0xc000_0201)]],
    ['ct_state=+new-est+trk,ct_zone=5', [word(at.ctState, 0x21, 0x23), word(at.ctZone, 5, 0xffff)]],
    ['ct_state=new|trk', [word(at.ctState, 0x21)]],
    ['ct_state=0', [word(at.ctState, 0)]],
    ['ct_label=0x1/0x1,pkt_mark=7', [word(at.ctLabel + 3, 1, 1), word(at.pktMark, 7)]],
    ['reg0=0x1/0x1,reg0=0x2/0x2', [word(at.registers, 3, 3)]],
  ])('%s', (text, words) => {
    expect(parseMatch(text)).toEqual(words)
  })

  it.each([
    ['nw_dst=10.0.0.1', 'bad-input'],
    ['arp,nw_ttl=1', 'bad-input'],
    ['ip,tp_dst=80', 'bad-input'],
    ['tcp,icmp_type=8', 'bad-input'],
    ['ip,ipv6', 'bad-input'],
    ['reg0=1,reg0=2', 'bad-input'],
    ['ip,nw_dst=10.0.0', 'bad-input'],
    ['ip,nw_ttl=256', 'bad-input'],
    ['reg0=0x100000000', 'bad-input'],
    ['dl_dst=02:00:00:00:00', 'bad-input'],
    ['ct_state=+later', 'bad-input'],
    ['ct_state=+new est', 'bad-input'],
    ['ip,ip_frag=maybe', 'bad-input'],
    ['in_port=eth0', 'bad-input'],
    ['conj_id=5', 'not-supported'],
    ['mpls', 'not-supported'],
  ])('%s is refused', (text, code) => {
    expect(() => parseMatch(text)).toThrow(expect.objectContaining({ code }))
  })
})
