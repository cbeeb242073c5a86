import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseEntity } from '../../core/model/entity.ts'
import { emptyVirtualNetwork } from '../../core/model/network.ts'
import { arbitraryDeclaration } from '../../core/net/declaration/arbitrary.ts'
import { planNetwork } from '../../core/net/declaration/plan.ts'
import { networkKinds } from '../../core/net/declaration/schema.ts'
import { ObjectLog } from '../../core/sync/object-log.ts'
import { realEnv } from '../runtime/env.ts'
import { reportNetwork, withdrawNetwork } from './reports.ts'

const hosts = ['h1', 'h2', 'h3']
const network = arbitraryDeclaration({ hosts }).map((declaration) => planNetwork(emptyVirtualNetwork, declaration, { hosts, prune: false }).next)

it('what is reported is the network, a document an object, whatever was reported before; withdrawn, nothing is', () => {
  fc.assert(
    fc.property(fc.array(network, { minLength: 1, maxLength: 3 }), (networks) => {
      const log = new ObjectLog({ env: realEnv })
      for (const [revision, next] of networks.entries()) {
        reportNetwork(log, next, revision)
        const documents = log.list().map((item) => parseEntity(item)!)
        expect(documents.length).toBe(1 + networkKinds.reduce((sum, kind) => sum + next[`${kind}s`].length, 0))
        for (const kind of networkKinds) {
          const reported = documents.filter((each) => each.kind === (kind === 'host' ? 'networkHost' : kind))
          expect(new Map(reported.map(({ id, doc }) => [id, doc]))).toEqual(new Map(next[`${kind}s`].map((object) => [object.name, object])))
        }
        expect(documents.find(({ kind }) => kind === 'overlay')?.doc).toEqual({ revision, last: next.last })
      }
      withdrawNetwork(log)
      expect(log.list()).toEqual([])
    }),
    { numRuns: 40 },
  )
})
