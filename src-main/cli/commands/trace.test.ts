import { expect, it } from 'vitest'
import { traceRequestSchema } from '../../../core/model/trace.ts'
import { traceSimulated } from '../../../core/net/trace/simulate.ts'
import { testWorld } from '../../../core/net/trace/test-world.ts'
import { traceText } from './trace.ts'

const hall = [
  'networks: [{name: web, vpc: shop, subnet: 10.20.1.0/24, broadcast: cluster}]',
  'ports:',
  ...[1, 2, 3, 4].map((n) => `  - {name: web-${n}, network: web, ip: 10.20.1.1${n}, host: h${n}, attach: {kind: netns}}`),
].join('\n')
const result = traceSimulated(
  testWorld(hall, { hosts: 4, states: { h4: 'down' } }),
  traceRequestSchema.parse({ from: 'web-3', to: '224.0.0.18', proto: 112 }),
)
const followed = result.copies![0]!

it('every copy of a packet to many has a line, with what became of it', () => {
  const lines = traceText(result, false).split('\n')
  const listed = lines.slice(lines.indexOf('3 copies'))
  expect(listed.find((line) => line.includes(` ${followed.port} `))).toContain('above')
  expect(listed.find((line) => line.startsWith('h4 '))).toMatch(/dropped +host-down \(host\/h4\) on h4 at tenant/)
  expect(lines.filter((line) => line.includes('replicated'))).toHaveLength(1)
})

it('the hops of the others are told only who asks for them', () => {
  const other = result.copies!.find(({ verdict, hops }) => verdict === 'delivered' && hops.length > 0)!
  const header = `The copy to ${other.port} of ${other.host}:`
  expect(traceText(result, false)).not.toContain(header)
  expect(traceText(result, true)).toContain(header)
})
