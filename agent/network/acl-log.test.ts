import { expect, it } from 'vitest'
import { compileHost } from '../../core/net/compile/compile.ts'
import { tables } from '../../core/net/compile/tables.ts'
import { shop, testWorld } from '../../core/net/trace/test-world.ts'
import { decisionsOf } from './acl-log.ts'

const { index } = testWorld(
  shop.replace(
    'acls:\n',
    'acls:\n  - {name: web-only, port: db-1, direction: in, priority: 7, match: {proto: tcp, dport: 80}, action: allow}\n  - {name: quick, port: db-1, direction: in, priority: 8, match: {proto: udp}, action: allow, stateful: false}\n',
  ),
)

it('counts what each ACL dropped, and what it let through: connections, or packets where it is stateless', () => {
  const flows = compileHost(index, 'h2').filter(({ table }) => table === tables.aclIn || table === tables.aclOut)
  const decisions = decisionsOf(
    flows.map((flow) => ({ ...flow, packets: 10, bytes: 600 })),
    index.input.network,
  )
  const perFamily = (name: string, pattern: RegExp): number =>
    10 * flows.filter((flow) => pattern.test(flow.match) && decisionsOf([{ ...flow, packets: 1, bytes: 1 }], index.input.network).has(name)).length
  expect(decisions.get('no-ssh')).toEqual({ dropped: perFamily('no-ssh', /^(?!.*\+rpl)/), allowed: 0 })
  expect(decisions.get('web-only')).toEqual({ dropped: 0, allowed: perFamily('web-only', /\+new/) })
  expect(decisions.get('quick')).toEqual({ dropped: 0, allowed: perFamily('quick', /./) })
  expect(decisions.get('web-only')!.allowed).toBeGreaterThan(0)
})
