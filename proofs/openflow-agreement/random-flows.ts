import type { Flow } from '../../core/net/openflow/flow.ts'
import type { Chance } from '../chance.ts'
import { plainPorts, tunnelPorts, underlay } from './dummy-switch.ts'
import { groupIds, ip4s, ip6s, l4Ports, macs, tableCount, tunnelIds, vlanIds, zones } from './universe.ts'

/** What a flow's match makes sure of, by which OVS lets it write fields. */
interface Sure {
  type: 'any' | 'arp' | 'ip' | 'ipv6'
  protocol: 'tcp' | 'udp' | 'icmp' | 'ns' | 'na' | 'sctp' | null
  tagged: boolean
}

/** A random pipeline that ovs-ofctl takes. Priorities within a table differ, since OVS leaves open which of two equals is found. */
export function randomFlows(chance: Chance): Flow[] {
  const flows: Flow[] = []
  for (let table = 0; table < tableCount; table++) {
    const count = chance.int(1, 6)
    for (let index = 0; index < count; index++) flows.push(randomFlow(chance, table, 10 + index))
    for (const [index, family] of (['ip', 'ipv6'] as const).entries()) {
      // What most hosts do first.
      if (chance.is(0.3)) flows.push({ table, priority: 1 + index, cookie: '0x2', match: family, actions: `${ct(chance, table)},${output(chance)}` })
    }
    const rest = chance.weighted(
      [3, () => `resubmit(,${chance.int(table + 1, tableCount)})`],
      [1, () => 'drop'],
      [2, () => `output:${port(chance)},${output(chance)}`],
    )
    if (chance.is(0.7)) flows.push({ table, priority: 0, cookie: '0x1', match: '', actions: rest })
  }
  return flows
}

/** A pipeline that asks conntrack of every packet, commits what is new or not, and writes what it was told into the packet. */
export function trackingFlows(chance: Chance): Flow[] {
  const flow = (table: number, priority: number, match: string, actions: string): Flow => ({ table, priority, cookie: '0x3', match, actions })
  const tell = [
    'NXM_NX_CT_STATE[0..7]->NXM_OF_ETH_SRC[0..7]',
    'NXM_NX_CT_MARK[0..7]->NXM_OF_ETH_SRC[8..15]',
    'NXM_NX_CT_LABEL[0..7]->NXM_OF_ETH_SRC[16..23]',
  ]
  const told = [...tell.map((bits) => `move:${bits}`), 'output:6'].join(',')
  const zone = chance.pick(zones)
  const exec = chance.is(0.5) ? `,exec(set_field:${chance.int(1, 3)}->ct_mark,set_field:0x${chance.int(1, 3)}/0xf->ct_label)` : ''
  const commit = `ct(commit,zone=${zone}${exec})`
  return ['ip', 'ipv6'].flatMap((family) => [
    flow(0, 1, family, `ct(table=1,zone=${zone})`),
    flow(1, 5, `${family},ct_state=+new`, chance.is(0.8) ? `${told},${commit}` : told),
    flow(1, 4, `${family},ct_state=+est`, chance.is(0.2) ? `${told},${commit}` : told),
    // Not a new connection, but committed as if it were.
    flow(1, 3, `${family},ct_state=-inv`, chance.is(0.5) ? `${told},${commit}` : told),
    flow(1, 2, family, told),
  ])
}

function randomFlow(chance: Chance, table: number, priority: number): Flow {
  const type = chance.pick(['any', 'arp', 'ip', 'ip', 'ipv6'] as const)
  const protocols = type === 'ip' ? (['tcp', 'udp', 'icmp', 'sctp', null] as const) : (['tcp', 'udp', 'icmp', 'ns', 'na', null] as const)
  const sure: Sure = { type, protocol: type === 'ip' || type === 'ipv6' ? chance.pick(protocols) : null, tagged: chance.is(0.1) }
  const actions = randomActions(chance, table, sure, 0)
  const match = acceptable(randomMatch(chance, sure), sure, actions)
  return { table, priority, cookie: `0x${chance.int(0, 0xffff).toString(16)}`, match, actions: actions.length === 0 ? 'drop' : actions.join(',') }
}

/** OVS refuses to commit what is invalid, and ports of what has none. */
function acceptable(match: string, { protocol }: Sure, actions: readonly string[]): string {
  const tracked = actions.some((action) => action.includes('commit')) ? match.replaceAll('+inv', '-inv') : match
  return protocol === null ? tracked : tracked.replace('ip_frag=later', 'ip_frag=first').replace('ip_frag=yes', 'ip_frag=no')
}

function shorthand({ type, protocol }: Sure): string[] {
  if (type === 'any') return []
  if (type === 'arp') return ['arp']
  const six = type === 'ipv6'
  if (protocol === 'ns') return ['icmp6', 'icmp_type=135', 'icmp_code=0']
  if (protocol === 'na') return ['icmp6', 'icmpv6_type=136', 'icmpv6_code=0']
  if (protocol === null) return [type]
  return [six ? `${protocol}6` : protocol]
}

function randomMatch(chance: Chance, sure: Sure): string {
  const parts = shorthand(sure)
  if (sure.tagged)
    parts.push(
      chance.weighted(
        [2, () => `dl_vlan=${chance.pick(vlanIds)}`],
        [1, () => 'vlan_tci=0x1000/0x1000'],
        [1, () => `dl_vlan=${chance.pick(vlanIds)},dl_vlan_pcp=${chance.int(0, 7)}`],
      ),
    )
  const candidates = [...anyFields(chance, sure), ...typeFields(chance, sure)]
  for (let count = chance.pick([0, 0, 1, 1, 2]); count > 0 && candidates.length > 0; count--) {
    const part = chance.pick(candidates)
    if (parts.every((other) => fieldOf(other) !== fieldOf(part))) parts.push(part)
  }
  return parts.join(',')
}

/** One place in a packet has one value: xreg0 is reg0 and reg1. */
function fieldOf(part: string): string {
  return part
    .split('=')[0]!
    .replace(/^x?reg\d$/, 'reg')
    .replace('dl_vlan', 'vlan_tci')
}

function anyFields(chance: Chance, { tagged }: Sure): string[] {
  const states = ['new', 'est', 'rel', 'rpl', 'inv', 'trk']
  const state = states.map((name) => chance.weighted([2, () => ''], [1, () => `+${name}`], [1, () => `-${name}`])).join('')
  return [
    `in_port=${port(chance)}`,
    `dl_src=${chance.pick(macs)}`,
    `dl_dst=${chance.pick([...macs, '01:00:00:00:00:00/01:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff'])}`,
    `reg${chance.int(0, 3)}=${small(chance)}`,
    `reg${chance.int(0, 3)}=${chance.pick(['0x1/0x1', '0/0x1', '0x2/0x6'])}`,
    `xreg0=${small(chance)}`,
    `metadata=${chance.pick(['0', '0x5', '0x1/0x1'])}`,
    `tun_id=${chance.pick([...tunnelIds, 0])}`,
    `pkt_mark=${small(chance)}`,
    `ct_zone=${chance.pick(zones)}`,
    `ct_mark=${chance.pick(['0', '1', '0x1/0x3'])}`,
    `ct_label=${chance.pick(['0x1', '0x1/0x1', '0x10000000000000000/0x10000000000000000'])}`,
    ...(state === '' ? [] : [`ct_state=${state}`, `ct_state=${state}`, `ct_state=${state}`]),
    ...(tagged ? [] : ['vlan_tci=0x0000/0x1fff', 'vlan_tci=0x0000']),
  ]
}

function typeFields(chance: Chance, sure: Sure): string[] {
  const { type, protocol } = sure
  if (type === 'any') return []
  if (type === 'arp')
    return [
      `arp_op=${chance.int(1, 2)}`,
      `arp_spa=${ip4(chance)}`,
      `arp_tpa=${ip4(chance)}`,
      `arp_sha=${chance.pick(macs)}`,
      `arp_tha=${chance.pick(macs)}`,
    ]
  const fields = [
    `nw_ttl=${chance.pick([0, 1, 2, 64])}`,
    `nw_tos=${chance.pick([0, 32])}`,
    `nw_ecn=${chance.int(0, 3)}`,
    `ip_frag=${chance.pick(['no', 'yes', 'first', 'later', 'not_later'])}`,
  ]
  if (type === 'ip') fields.push(`nw_src=${ip4(chance)}`, `nw_dst=${ip4(chance)}`)
  else fields.push(`ipv6_src=${ip6(chance)}`, `ipv6_dst=${ip6(chance)}`, `ipv6_label=${chance.pick(['0', '0x12345'])}`)
  if (protocol === 'tcp' || protocol === 'udp' || protocol === 'sctp') {
    fields.push(`tp_src=${l4Port(chance)}`, `tp_dst=${l4Port(chance)}`, `tp_dst=${l4Port(chance)}`)
    if (protocol === 'tcp') fields.push(`tcp_flags=${chance.pick(['+syn', '+syn-ack', '-fin', '+ack+psh', '0x2/0x12', 'syn|ack'])}`)
  } else if (protocol === 'icmp') {
    fields.push(type === 'ip' ? `icmp_type=${chance.pick([8, 0, 3, 11])}` : `icmpv6_type=${chance.pick([128, 129, 1])}`)
  } else if (protocol === 'ns' || protocol === 'na') {
    fields.push(`nd_target=${ip6(chance)}`, `${protocol === 'ns' ? 'nd_sll' : 'nd_tll'}=${chance.pick([...macs, '00:00:00:00:00:00'])}`)
    fields.push(`nd_options_type=${chance.int(0, 2)}`, `nd_reserved=${chance.pick([0, 0x6000_0000])}`)
  } else if (protocol === null) fields.push(`nw_proto=${chance.pick([1, 6, 17, 58, 0])}`)
  return fields
}

function randomActions(chance: Chance, table: number, sure: Sure, depth: number): string[] {
  const state = { tags: Number(sure.tagged) }
  const actions: string[] = []
  if (depth === 0 && chance.is(0.05)) actions.push('meter:1')
  for (let count = chance.int(0, 5); count > 0; count--) actions.push(...randomAction(chance, table, sure, state, depth))
  if (depth === 0 && table + 1 < tableCount && chance.is(0.15)) actions.push(`goto_table:${chance.int(table + 1, tableCount - 1)}`)
  return actions
}

function randomAction(chance: Chance, table: number, sure: Sure, state: { tags: number }, depth: number): string[] {
  const ip = sure.type === 'ip' || sure.type === 'ipv6'
  return chance.weighted<string[]>(
    [8, () => [output(chance)]],
    [8, () => [resubmit(chance, table)]],
    [6, () => [`set_field:${setAny(chance)}`]],
    [sure.type === 'any' ? 0 : 6, () => [`set_field:${chance.pick(settable(chance, sure))}`]],
    [4, () => [`move:${move(chance, sure)}`]],
    [
      2,
      () => [
        `load:0x${chance.int(0, 15).toString(16)}->${chance.pick(['NXM_NX_REG2[0..3]', 'NXM_NX_REG1[28..31]', 'OXM_OF_METADATA[4..7]', 'NXM_NX_XXREG0[60..63]', 'NXM_OF_ETH_DST[0..3]'])}`,
      ],
    ],
    [2, () => ['dec_ttl'].slice(ip ? 0 : 1)],
    [2, () => [`group:${chance.pick(groupIds)}`]],
    [ip ? 5 : 0, () => [ct(chance, table)]],
    [1, () => ['ct_clear']],
    [
      2,
      () => [`check_pkt_larger(${chance.pick([42, 60, 100, 1000])})->${chance.pick(['NXM_NX_REG0[0]', 'NXM_NX_REG3[31]', 'OXM_OF_PKT_REG1[40]'])}`],
    ],
    [
      depth < 2 ? 3 : 0,
      () => {
        const inner = randomActions(chance, table, { ...sure, tagged: state.tags > 0 }, depth + 1)
        return inner.length === 0 ? [] : [`clone(${inner.join(',')})`]
      },
    ],
    [
      1,
      () => {
        if (state.tags > (depth > 0 ? 0 : 1)) return []
        state.tags++
        return [`push_vlan:${chance.pick(['0x8100', '0x88a8'])}`, ...(chance.is(0.8) ? [`set_field:${0x1000 + chance.pick(vlanIds)}->vlan_vid`] : [])]
      },
    ],
    [
      1,
      () => {
        if (state.tags === 0) return []
        if (chance.is(0.5)) return [`set_field:${chance.int(0, 7)}->vlan_pcp`]
        state.tags--
        return ['pop_vlan']
      },
    ],
    [0.5, () => ['controller(max_len=128,userdata=00.01)']],
    [0.3, () => ['note:00.01.02.03.04.05']],
  )
}

function output(chance: Chance): string {
  return chance.weighted(
    [8, () => `output:${port(chance)}`],
    [2, () => 'in_port'],
    [1, () => 'LOCAL'],
    [3, () => 'output:NXM_NX_REG2[0..15]'],
    [1, () => 'output:NXM_NX_REG1[0..3]'],
    [
      2,
      () =>
        `set_field:${chance.pick(tunnelIds)}->tun_id,set_field:${chance.pick(Object.keys(underlay.ends))}->tun_dst,output:${chance.pick(Object.values(tunnelPorts))}`,
    ],
    [1, () => `output:${chance.pick(Object.values(tunnelPorts))}`],
  )
}

function resubmit(chance: Chance, table: number): string {
  const to = chance.is(0.95) ? chance.int(table + 1, tableCount) : chance.int(0, tableCount)
  return chance.is(0.85) ? `resubmit(,${to})` : `resubmit(${port(chance)},${to})`
}

function ct(chance: Chance, table: number): string {
  const parts = []
  if (chance.is(0.4)) parts.push('commit')
  if (chance.is(0.75)) parts.push(`table=${chance.int(table + 1, tableCount)}`)
  parts.push(chance.is(0.7) ? `zone=${chance.pick(zones)}` : 'zone=NXM_NX_REG1[0..15]')
  if (parts.includes('commit') && chance.is(0.3)) {
    parts.push(
      `exec(${chance.pick(['set_field:1->ct_mark', 'set_field:0x1/0x1->ct_mark', 'set_field:0x1/0x1->ct_label', 'load:1->NXM_NX_CT_LABEL[64]', 'move:NXM_NX_REG0[0..3]->NXM_NX_CT_MARK[0..3]'])})`,
    )
  }
  return `ct(${parts.join(',')})`
}

/** `VALUE->FIELD` of fields that every packet has. */
function setAny(chance: Chance): string {
  return chance.pick([
    `${small(chance)}->reg${chance.int(0, 3)}`,
    `${port(chance)}->reg2`,
    `${chance.pick(zones)}->reg1`,
    `0x${chance.pick([0, 1, 4, 5])}/0x5->reg0`,
    `0x500000001->xreg0`,
    `0x3000000010000000200000004->xxreg0`,
    '0x5->metadata',
    `${chance.pick(tunnelIds)}->tun_id`,
    `${small(chance)}->pkt_mark`,
    `${chance.pick(macs)}->eth_dst`,
    `${chance.pick(macs)}->eth_src`,
    '00:00:00:00:00:0f/00:00:00:00:00:ff->eth_src',
    `${port(chance)}->in_port`,
  ])
}

function settable(chance: Chance, { type, protocol }: Sure): string[] {
  if (type === 'arp')
    return [
      `${chance.int(0, 3)}->arp_op`,
      `${chance.pick(ip4s)}->arp_spa`,
      `${chance.pick(ip4s)}->arp_tpa`,
      `${chance.pick(macs)}->arp_sha`,
      `${chance.pick(macs)}->arp_tha`,
    ]
  const fields = [
    `${chance.pick([1, 2, 64])}->nw_ttl`,
    `${chance.pick([0, 32, 252])}->nw_tos`,
    `${chance.int(0, 63)}->ip_dscp`,
    `${chance.int(0, 3)}->nw_ecn`,
  ]
  if (type === 'ip') fields.push(`${chance.pick(ip4s)}->ip_src`, `${chance.pick(ip4s)}->ip_dst`, '0.0.0.9/0.0.0.255->ip_dst')
  else fields.push(`${chance.pick(ip6s)}->ipv6_src`, `${chance.pick(ip6s)}->ipv6_dst`, `::9/::ff->ipv6_dst`, `0x54321->ipv6_label`)
  if (protocol === 'tcp' || protocol === 'udp') {
    const names = [`${protocol}_src`, `${protocol}_dst`]
    fields.push(...names.flatMap((name) => [`${chance.pick(l4Ports)}->${name}`, `${chance.pick(l4Ports)}->${name}`]), `0x1/0xff->${names[0]}`)
  }
  if (protocol === 'icmp')
    fields.push(
      type === 'ip' ? `${chance.pick([0, 8])}->icmp_type` : `${chance.pick([128, 129])}->icmpv6_type`,
      `${chance.int(0, 1)}->${type === 'ip' ? 'icmp_code' : 'icmpv6_code'}`,
    )
  if (protocol === 'ns' || protocol === 'na') {
    fields.push(
      `${chance.pick([135, 136])}->icmpv6_type`,
      `${chance.pick(ip6s)}->nd_target`,
      `${chance.pick(macs)}->${protocol === 'ns' ? 'nd_sll' : 'nd_tll'}`,
    )
    fields.push(`${chance.int(1, 2)}->nd_options_type`, '0x60000000->nd_reserved')
  }
  return fields
}

function move(chance: Chance, { type, protocol }: Sure): string {
  const moves = [
    'NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]',
    'NXM_OF_ETH_DST[]->NXM_NX_XXREG1[3..50]',
    'NXM_NX_REG0[]->NXM_NX_REG3[]',
    'NXM_NX_REG2[0..15]->NXM_NX_REG2[8..23]',
    'NXM_NX_XXREG0[16..111]->NXM_NX_XXREG0[0..95]',
    'NXM_OF_IN_PORT[]->NXM_NX_REG2[0..15]',
    'NXM_NX_TUN_ID[0..23]->NXM_OF_ETH_DST[0..23]',
    // Not of tun_src: where OVS refuses to send to its own address it forgets what that was.
    'NXM_NX_TUN_IPV4_DST[]->NXM_NX_REG3[]',
    'NXM_NX_CT_MARK[]->NXM_NX_REG0[]',
    'NXM_NX_CT_STATE[0..7]->NXM_NX_REG3[0..7]',
    'NXM_NX_REG0[0..15]->NXM_OF_ETH_SRC[4..19]',
    'NXM_NX_CT_LABEL[60..70]->NXM_NX_REG0[0..10]',
    'OXM_OF_METADATA[0..31]->NXM_NX_REG1[]',
    'NXM_NX_PKT_MARK[]->NXM_NX_REG1[]',
  ]
  if (type === 'arp')
    moves.push(
      'NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]',
      'NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]',
      'NXM_OF_ARP_TPA[]->NXM_NX_REG0[]',
      'NXM_OF_ARP_OP[]->NXM_NX_REG2[0..15]',
    )
  if (type === 'ip')
    moves.push(
      'NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]',
      'NXM_OF_IP_DST[]->NXM_NX_REG3[]',
      'NXM_NX_REG0[0..7]->NXM_OF_IP_DST[0..7]',
      'NXM_OF_IP_TOS[2..7]->NXM_NX_REG0[0..5]',
      'NXM_NX_IP_TTL[]->NXM_NX_REG1[0..7]',
    )
  if (type === 'ipv6')
    moves.push(
      'NXM_NX_IPV6_SRC[]->NXM_NX_IPV6_DST[]',
      'NXM_NX_IPV6_DST[]->NXM_NX_XXREG1[]',
      'NXM_NX_IPV6_DST[0..31]->NXM_NX_REG0[]',
      'NXM_NX_REG0[]->NXM_NX_IPV6_DST[40..71]',
    )
  if (protocol === 'tcp') moves.push('NXM_OF_TCP_SRC[]->NXM_OF_TCP_DST[]', 'NXM_NX_TCP_FLAGS[]->NXM_NX_REG0[0..11]')
  if (protocol === 'udp') moves.push('NXM_OF_UDP_SRC[]->NXM_OF_UDP_DST[]')
  if (protocol === 'ns') moves.push('NXM_NX_ND_TARGET[]->NXM_NX_IPV6_SRC[]', 'NXM_NX_ND_SLL[]->NXM_OF_ETH_DST[]')
  return chance.pick(moves)
}

function port(chance: Chance): number {
  return chance.pick(plainPorts)
}

function small(chance: Chance): number {
  return chance.int(0, 6)
}

function ip4(chance: Chance): string {
  return chance.pick([...ip4s, '10.0.0.0/24', '10.0.0.0/8', '10.0.0.1/255.255.0.255'])
}

function ip6(chance: Chance): string {
  return chance.pick([...ip6s, 'fd00::/64', '::1/::f'])
}

function l4Port(chance: Chance): string {
  return chance.pick([...l4Ports.map(String), '0x50/0xfffe', '0x0/0xfff0'])
}
