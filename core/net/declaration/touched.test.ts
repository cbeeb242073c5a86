import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { HoldfastError } from '../../errors.ts'
import { emptyVirtualNetwork } from '../../model/network.ts'
import { formatIp, parseCidr } from '../address.ts'
import { arbitraryDeclaration } from './arbitrary.ts'
import { checkDraft } from './check.ts'
import { Draft } from './draft.ts'
import { mergeDeclaration } from './merge.ts'
import { planNetwork } from './plan.ts'
import type { Problem } from './problems.ts'
import type { Declaration } from './schema.ts'

const hosts = ['h1', 'h2', 'h3']
const nothing: Declaration = { vpcs: [], networks: [], routers: [], peerings: [], acls: [], ports: [], hosts: [], vips: [] }

/** Some objects of a declaration that was not made for the network: it may change, fit or contradict anything there. */
const fragment = fc
  .record({ declaration: arbitraryDeclaration(), keep: fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 3 }) })
  .map(({ declaration, keep }): Declaration => {
    const all = Object.values(declaration).flat() as unknown[]
    const kept = new Set(keep.map((at) => all[at % all.length]))
    const some = <T>(list: readonly T[]): T[] => list.filter((object) => kept.has(object))
    return {
      vpcs: some(declaration.vpcs),
      networks: some(declaration.networks),
      routers: some(declaration.routers),
      peerings: some(declaration.peerings),
      acls: some(declaration.acls),
      ports: some(declaration.ports),
      hosts: some(declaration.hosts),
      vips: some(declaration.vips),
    }
  })

/** Ports of a network that go to other networks there, where their addresses fit; what they leave behind may need them. */
function moves({ networks, ports }: Declaration, picks: readonly number[]): Declaration {
  const moved = new Map(
    picks.flatMap((pick) => {
      const port = ports[pick % ports.length]
      const to = networks[(pick >> 4) % networks.length]!
      if (!port) return []
      const { name, host, attach } = port
      const ip = formatIp({ family: 4, value: parseCidr(to.subnet)!.last - 2n })
      return [[name, { name, network: to.name, ip, host, attach }]]
    }),
  )
  return { ...nothing, ports: [...moved.values()] }
}

it('a plan that looks at what is touched finds what one finds that looks at everything', () => {
  const verdicts = { right: 0, wrong: 0 }
  fc.assert(
    fc.property(arbitraryDeclaration(), fc.oneof(fragment, fc.array(fc.nat({ max: 255 }), { minLength: 1, maxLength: 3 })), (first, second) => {
      const declaration = Array.isArray(second) ? moves(first, second) : second
      const { next: current } = planNetwork(emptyVirtualNetwork, first, { hosts, prune: false })
      const merged = mergeDeclaration(current, declaration, false)
      const draft = new Draft(merged, { merged, current, declaration, hosts })
      checkDraft(draft)
      let found: Problem[] = []
      try {
        planNetwork(current, declaration, { hosts, prune: false })
      } catch (thrown) {
        found = (thrown as HoldfastError).data.problems as Problem[]
      }
      expect(found.toSorted(byText)).toEqual(draft.problems.toSorted(byText))
      verdicts[found.length === 0 ? 'right' : 'wrong']++
    }),
    { numRuns: 400 },
  )
  expect(Math.min(verdicts.right, verdicts.wrong)).toBeGreaterThan(20)
}, 60_000)

const byText = (a: Problem, b: Problem): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)
