import fc from 'fast-check'
import { expect, it } from 'vitest'
import { emptyVirtualNetwork, type VirtualNetwork } from '../../core/model/network.ts'
import { compileHost } from '../../core/net/compile/compile.ts'
import { indexNetwork, type VipPlace } from '../../core/net/compile/view.ts'
import { arbitraryDeclaration } from '../../core/net/declaration/arbitrary.ts'
import { parseDeclaration } from '../../core/net/declaration/parse.ts'
import { planNetwork } from '../../core/net/declaration/plan.ts'
import type { Declaration } from '../../core/net/declaration/schema.ts'
import { FlowCompiler } from './flow-compiler.ts'

const names = ['h1', 'h2', 'h3']
const endsOf = (count: number) => new Map(names.slice(0, count).map((host, at) => [host, { ip: `10.83.5.1${at}`, mac: `0a:58:0a:53:05:1${at}` }]))
const empty: Declaration = { vpcs: [], networks: [], routers: [], peerings: [], acls: [], ports: [], hosts: [], vips: [] }

/** Networks that come one after the other: each a whole declaration, or one without some of its ports and ACLs. */
const steps = fc.array(
  fc.record({
    declaration: fc.oneof(arbitraryDeclaration(), fc.constant(empty)),
    keep: fc.array(fc.nat({ max: 20 }), { maxLength: 6 }),
    ends: fc.integer({ min: 2, max: 3 }),
  }),
  { minLength: 1, maxLength: 3 },
)

/** Each VIP at one of the ports that may have it, with the MAC of that port or of a virtual router; at nobody where there are not so many. */
function ownersAt({ vips, ports }: VirtualNetwork, turn: number): Map<string, VipPlace> {
  return new Map(
    vips.flatMap((vip, index) => {
      const port = ports.find(({ name }) => name === vip.ports[turn])
      return port ? [[vip.name, { port: port.name, mac: (turn + index) % 2 === 0 ? port.mac : '00:00:5e:00:01:33' }] as const] : []
    }),
  )
}

it('whatever came before, the flows are those of the whole network', () => {
  fc.assert(
    fc.property(steps, fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 3 }), (wanted, turns) => {
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
            for (const turn of turns) {
              const owners = ownersAt(network, turn)
              const flows = compiler.compile(network, hosts, owners)
              expect(flows).toEqual(compileHost(indexNetwork({ network, hosts, owners }), names[index]!))
              expect(compiler.compile(structuredClone(network), hosts, structuredClone(owners))).toBe(flows)
            }
          }
        }
      }
    }),
    { numRuns: 20 },
  )
})

it('takes out once what several parts had and none has any more', () => {
  const declared = (host: string) => `
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1}
  - {name: mail, vpc: office, subnet: 10.20.1.0/24, gateway: 10.20.1.1}
routers:
  - {name: shop, vpc: shop, networks: [web]}
  - {name: office, vpc: office, networks: [mail]}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, host: ${host}, attach: {kind: netns}}
  - {name: mail-1, network: mail, ip: 10.20.1.11, host: ${host}, attach: {kind: netns}}
`
  const compiler = new FlowCompiler('h1')
  for (const host of ['h1', 'h2', 'h1', 'h3']) {
    const { next: network } = planNetwork(emptyVirtualNetwork, parseDeclaration(declared(host)), { hosts: names, prune: true })
    expect(compiler.compile(network, endsOf(3))).toEqual(compileHost(indexNetwork({ network, hosts: endsOf(3) }), 'h1'))
  }
  // Nothing is left of either.
  const hosts = endsOf(3)
  expect(compiler.compile(emptyVirtualNetwork, hosts)).toEqual(compileHost(indexNetwork({ network: emptyVirtualNetwork, hosts }), 'h1'))
})
