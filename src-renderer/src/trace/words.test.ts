import { describe, expect, test } from 'vitest'
import { dropReasons } from '../../../core/model/trace.ts'
import { en } from '../i18n/en.ts'
import { zh } from '../i18n/zh.ts'
import { detailText, limitText } from './detail.ts'
import type { TraceCopy, TraceHop } from '../../../core/model/trace.ts'
import { dropText, hopText, objectText, packetText, verdictMark, verdictText } from './words.ts'

const view = { port: new Map([['db-1', { network: 'db' } as never]]), vip: new Map([['web-vip', { network: 'web' } as never]]) }

describe('a drop in a sentence', () => {
  test('names host, rule and packet', () => {
    const drop = { host: 'h3', device: 'br-int', reason: 'acl' as const, object: 'acl/no-ssh' }
    expect(dropText(drop, en)).toBe('Dropped on h3 by ACL no-ssh')
    expect(dropText(drop, zh)).toBe('在 h3 上被 ACL 规则 no-ssh 丢弃')
    expect(en.trace.about(dropText(drop, en), packetText({ proto: 'tcp', dport: '22', to: 'db-1' }, view, en))).toBe(
      'Dropped on h3 by ACL no-ssh: tcp port 22 into db',
    )
  })

  test.each(dropReasons)('%s is said in both languages, with an object and without', (reason) => {
    for (const m of [en, zh]) {
      for (const object of ['router/shop', null]) {
        const said = dropText({ host: 'h3', device: 'tenant', reason, object }, m)
        expect(said).toMatch(/h3/)
        expect(said).not.toMatch(/undefined|null| {2}|: is|：的/)
      }
    }
  })

  test('links are named by both their ends', () => {
    expect(objectText('link/h1/tenant--tor1/swp25', en)).toBe('link h1/tenant – tor1/swp25')
    expect(objectText('nic/h1/tenant', en)).toBe('NIC h1/tenant')
    expect(objectText(null, en)).toBe('')
  })
})

test('a packet to a VIP goes into the network of the VIP', () => {
  expect(packetText({ proto: 'arp', dport: '', to: 'web-vip' }, view, en)).toBe('arp into web')
})

describe('what a broadcast node does', () => {
  const hop = { host: 'h2', detail: 'VNI 4102, 3 copies, to h1, h3, h4', replication: { vni: 4102, members: ['h1', 'h3', 'h4'], copies: 3 } }

  test('is a sentence in both languages', () => {
    expect(hopText(hop, en, 'en')).toBe('h2 copies it to 3 hosts: h1, h3, h4')
    expect(hopText(hop, zh, 'zh')).toBe('h2 将其复制到 3 台主机：h1、h3、h4')
    expect(hopText({ ...hop, replication: { vni: 4102, members: ['h1'], copies: 1 } }, en, 'en')).toBe('h2 copies it to 1 host: h1')
    expect(hopText({ ...hop, replication: { vni: 4102, members: [], copies: 0 } }, en, 'en')).toBe('h2 has no host to copy it to')
    expect([en, zh].map((m) => m.trace.action.replicated)).toEqual(['copied', '复制'])
  })

  test('any other hop keeps the words of the tracer', () => {
    expect(hopText({ host: 'h1', detail: 'router shop' }, zh, 'zh')).toBe('路由器 shop')
  })

  test('how many copies there were and what became of them leaves out what is none', () => {
    expect(en.trace.copies(5, 4, 1, 0)).toBe('5 copies: 4 delivered, 1 dropped')
    expect(en.trace.copies(1, 0, 0, 1)).toBe('1 copy: 1 unknown')
    expect(zh.trace.copies(5, 4, 1, 0)).toBe('5 份副本：4 份送达，1 份被丢弃')
  })
})

test('why nobody knows what became of a copy is said in Chinese', () => {
  const said = [
    'It came to legacy-1, which has no agent: what becomes of it there cannot be observed.',
    'It was last seen at tenant of h2 and did not come to web-3 of h3, though the flows in place send it there.',
    'It was seen nowhere and web-3 of h3 could not be watched: its network module does not answer.',
  ]
  expect(said.map((limit) => limitText(limit, 'zh'))).toEqual([
    '已到达 legacy-1，该主机没有代理：此后无法观察。',
    '最后在 h2 的 tenant 上看到，没有到达 h3 的 web-3，而就位的流表会把它送到那里。',
    '没有在任何地方看到，h3 的 web-3 无法观察：its network module does not answer。',
  ])
  expect(said.map((limit) => limitText(limit, 'en'))).toEqual(said)
})

test('an unknown verdict names the last place seen', () => {
  const hop = { host: 'h2', device: 'vxlan', leg: 'forward' } as never
  expect(verdictText({ verdict: 'unknown', drop: null, hops: [hop] }, en)).toBe('Last seen on h2 at vxlan; beyond it nothing could be observed')
  expect(verdictText({ verdict: 'unknown', drop: null, hops: [] }, en)).toBe(en.trace.unknownAtAll)
})

test('what the tracer says of a hop is said in Chinese, phrase by phrase', () => {
  expect(detailText('router shop, routed into db, next hop db-1', 'zh')).toBe('路由器 shop，路由至 db，下一跳 db-1')
  expect(detailText('VXLAN, VNI 4098, to h2', 'zh')).toBe('VXLAN，VNI 4098，发往 h2')
  const learned = 'in at swp8, tor1 learned 02:00:00:00:00:01 at swp8, 02:00:00:00:00:02 at swp17, counted 3 packets in and 2 out (SNMP)'
  expect(detailText(learned, 'zh')).toBe(
    '由 swp8 进入，tor1 在 swp8 学到 02:00:00:00:00:01，在 swp17 学到 02:00:00:00:00:02，计入 3 个数据包，计出 2 个（SNMP）',
  )
  expect(detailText('tor1 learned 02:00:00:00:00:01 at swp3 instead of swp8 (SNMP)', 'zh')).toBe(
    'tor1 在 swp3 而非 swp8 学到 02:00:00:00:00:01 (SNMP)',
  )
  expect(detailText('VNI 4102, 4 copies, to h2, h3', 'zh')).toBe('VNI 4102，复制 4 份，发往 h2，h3')
  expect(detailText('VNI 4102, 0 copies: no other host has a port in it', 'zh')).toBe('VNI 4102，复制 0 份：其他主机上没有它的端口')
  expect(detailText('VXLAN, VNI 4098, to broadcast node h2', 'zh')).toBe('VXLAN，VNI 4098，发往广播节点 h2')
  expect(detailText('something new', 'zh')).toBe('something new')
  expect(detailText('router shop', 'en')).toBe('router shop')
})

describe('the verdict on a packet to many', () => {
  const hop = (leg: TraceHop['leg']): TraceHop => ({
    ...{ n: 1, leg, evidence: 'computed', kind: 'virtual', host: 'h1', device: 'br-int', in: null, out: null, action: 'forwarded', detail: '' },
    ...{ objects: [], cookies: [] },
  })
  const copies = (...verdicts: TraceCopy['verdict'][]) =>
    verdicts.map((verdict): TraceCopy => ({ host: 'h1', port: null, after: 1, hops: [], verdict, drop: null, limit: null }))
  const result = (of: TraceCopy[], ...legs: TraceHop['leg'][]) => ({ verdict: 'delivered' as const, drop: null, copies: of, hops: legs.map(hop) })

  test('says how many copies arrived, and does not call it well where one was dropped', () => {
    const all = result(copies('delivered', 'delivered'), 'forward')
    expect([verdictMark(all, en), verdictText(all, en)]).toEqual([{ state: 'up', word: 'Delivered' }, 'all 2 copies arrived'])
    const some = result(copies('delivered', 'dropped', 'unknown'), 'forward')
    expect([verdictMark(some, en), verdictText(some, en)]).toEqual([{ state: 'degraded', word: 'Delivered in part' }, '1 of 3 copies arrived'])
    expect([verdictMark(some, zh).word, verdictText(some, zh)]).toEqual(['部分送达', '3 份副本中有 1 份送达'])
    expect(verdictMark(result(copies('delivered', 'unknown'), 'forward'), en).state).toBe('up')
  })

  test('is that it was answered where an answer came back', () => {
    const answered = result(copies('delivered', 'dropped'), 'forward', 'return')
    expect([verdictMark(answered, en).state, verdictText(answered, en)]).toEqual(['up', en.trace.answered])
  })
})
