import { describe, expect, test } from 'vitest'
import { dropReasons } from '../../../core/model/trace.ts'
import { en } from '../i18n/en.ts'
import { zh } from '../i18n/zh.ts'
import { detailText } from './detail.ts'
import { dropText, objectText, packetText, verdictText } from './words.ts'

const view = { port: new Map([['db-1', { network: 'db' } as never]]) }

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
  expect(detailText('something new', 'zh')).toBe('something new')
  expect(detailText('router shop', 'en')).toBe('router shop')
})
