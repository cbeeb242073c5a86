import type { Language } from '../i18n/i18n.svelte.ts'

/** The tracer's own phrases, and how each is said in Chinese. A phrase that is not known stays as it was written. */
const chinese: readonly (readonly [RegExp, string])[] = [
  [/^router (\S+)$/, '路由器 $1'],
  [/^routed into (\S+)$/, '路由至 $1'],
  [/^through peering (\S+)$/, '经对等连接 $1'],
  [/^by a static route$/, '按静态路由'],
  [/^next hop (\S+)$/, '下一跳 $1'],
  [/^dropped by ACL (\S+)$/, '被 ACL $1 丢弃'],
  [/^let through by ACL (\S+)$/, '由 ACL $1 放行'],
  [/^answered for (\S+)$/, '代 $1 应答'],
  [/^to broadcast node (\S+)$/, '发往广播节点 $1'],
  [/^(\d+) cop(?:y|ies)$/, '复制 $1 份'],
  [/^0 copies: no other host has a port in it$/, '复制 0 份：其他主机上没有它的端口'],
  [/^to (\S+)$/, '发往 $1'],
  [/^(\d+) bytes$/, '$1 字节'],
  [/^in at (\S+?)( \(SNMP\))?$/, '由 $1 进入$2'],
  [/^out at (\S+?)( \(SNMP\))?$/, '由 $1 送出$2'],
  [/^(\S+) learned (\S+) at no port( \(SNMP\))?$/, '$1 未在任何端口学到 $2$3'],
  [/^(\S+) learned (\S+) at (\S+)( \(SNMP\))?$/, '$1 在 $3 学到 $2$4'],
  [/^(\S+) learned (\S+) at (\S+) instead of (\S+)( \(SNMP\))?$/, '$1 在 $3 而非 $4 学到 $2$5'],
  [/^(\S+) at no port( \(SNMP\))?$/, '未在任何端口学到 $1$2'],
  [/^(\S+) at (\S+) instead of (\S+)( \(SNMP\))?$/, '在 $2 而非 $3 学到 $1$4'],
  [/^(\S+:\S+) at (\S+)( \(SNMP\))?$/, '在 $2 学到 $1$3'],
  [/^counted (\d+) packets? in and (\d+) out \(SNMP\)$/, '计入 $1 个数据包，计出 $2 个（SNMP）'],
  [/^port (\S+) of (\S+) is down \(SNMP\)$/, '$2 的端口 $1 已断开（SNMP）'],
  [/^no flow matched in stage (\S+)$/, '阶段 $1 没有匹配的流表项'],
]

/** Parts of the tracer's own sentences about what could not be observed of a copy, in the order in which they stand. */
const chineseLimits: readonly (readonly [RegExp, string])[] = [
  [/^It came to (\S+), which has no agent: what becomes of it there cannot be observed\.$/, '已到达 $1，该主机没有代理：此后无法观察。'],
  [/^It was last seen at (\S+) of (\S+) /, '最后在 $2 的 $1 上看到，'],
  [/^It was seen nowhere /, '没有在任何地方看到，'],
  [/and did not come to (\S+) of (\S+), though the flows in place send it there\.$/, '没有到达 $2 的 $1，而就位的流表会把它送到那里。'],
  [/and (\S+) of (\S+) could not be watched: (.+)\.$/, '$2 的 $1 无法观察：$3。'],
]

/** Why nobody knows what became of a copy, in the language shown. */
export function limitText(limit: string, language: Language): string {
  return language === 'en' ? limit : chineseLimits.reduce((text, [pattern, said]) => text.replace(pattern, said), limit)
}

/** What was done at a hop, in the language shown. */
export function detailText(detail: string, language: Language): string {
  if (language === 'en') return detail
  return detail
    .split(', ')
    .map((phrase) => {
      const found = chinese.find(([pattern]) => pattern.test(phrase))
      return found ? phrase.replace(found[0], found[1]) : phrase
    })
    .join('，')
}
