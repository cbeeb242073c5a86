import fc from 'fast-check'
import { expect, it } from 'vitest'
import { emptyVirtualNetwork } from '../../core/model/network.ts'
import { compileHost } from '../../core/net/compile/compile.ts'
import { indexNetwork } from '../../core/net/compile/view.ts'
import { arbitraryDeclaration } from '../../core/net/declaration/arbitrary.ts'
import { planNetwork } from '../../core/net/declaration/plan.ts'
import type { Declaration } from '../../core/net/declaration/schema.ts'
import { FlowCompiler } from './flow-compiler.ts'

const names = ['h1', 'h2', 'h3']
const endsOf = (count: number) => new Map(names.slice(0, count).map((host, at) => [host, { ip: `10.83.5.1${at}`, mac: `0a:58:0a:53:05:1${at}` }]))
const empty: Declaration = { vpcs: [], networks: [], routers: [], peerings: [], acls: [], ports: [] }

/** Networks that come one after the other: each a whole declaration, or one without some of its ports and ACLs. */
const steps = fc.array(
  fc.record({
    declaration: fc.oneof(arbitraryDeclaration(), fc.constant(empty)),
    keep: fc.array(fc.nat({ max: 20 }), { maxLength: 6 }),
    ends: fc.integer({ min: 2, max: 3 }),
  }),
  { minLength: 1, maxLength: 3 },
)

it('whatever came before, the flows are those of the whole network', () => {
  fc.assert(
    fc.property(steps, (wanted) => {
      const compilers = names.map((host) => new FlowCompiler(host))
      for (const { declaration, keep, ends } of wanted) {
        let { next: network } = planNetwork(emptyVirtualNetwork, declaration, { hosts: names, prune: true })
        for (const at of [null, ...keep]) {
          const less =
            at === null
              ? network
              : {
                  ...network,
                  acls: network.acls.filter((_, index) => index !== at),
                  ports: network.ports.filter(({ name }, index) => index !== at || network.acls.some((acl) => acl.port === name)),
                }
          network = less
          const hosts = endsOf(ends)
          for (const [index, compiler] of compilers.entries()) {
            const flows = compiler.compile(network, hosts)
            expect(flows).toEqual(compileHost(indexNetwork({ network, hosts }), names[index]!))
            expect(compiler.compile(structuredClone(network), hosts)).toBe(flows)
          }
        }
      }
    }),
    { numRuns: 40 },
  )
})
