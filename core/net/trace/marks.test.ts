import fc from 'fast-check'
import { expect, it } from 'vitest'
import { traceRequestSchema, type TraceRequest, type TraceResult } from '../../model/trace.ts'
import { arbitraryDeclaration } from '../declaration/arbitrary.ts'
import { extract } from '../openflow/extract.ts'
import { keyWords, type Key } from '../openflow/fields.ts'
import { payloadBytes } from './packets.ts'
import { markOf } from './sightings.ts'
import { prepareTrace, traceSimulated } from './simulate.ts'
import { testWorld } from './test-world.ts'

/** All of a frame that any flow can ask for, and its length, which `check_pkt_larger` asks for. */
function seenByFlows(frame: Uint8Array): unknown {
  const key: Key = new Uint32Array(keyWords)
  extract(frame, key)
  return { key: [...key], bytes: frame.length }
}

const outcome = ({ verdict, drop, hops }: TraceResult): unknown => ({
  verdict,
  drop,
  met: hops.map(({ host, device, action, flows }) => ({ host, device, action, flows })),
})

const kinds: Partial<TraceRequest>[] = [
  ...[{ proto: 'icmp' as const }, { proto: 'tcp' as const, dport: 22 }, { proto: 'udp' as const, dport: 53 }, { proto: 47 }, { proto: 132 }],
  ...[
    { proto: 58 },
    { proto: 'icmp' as const, sizeBytes: 1300 },
    { proto: 'udp' as const, sport: 50_001, sizeBytes: 100 },
    { proto: 'arp' as const },
  ],
]

it('marking a packet changes nothing that a flow can ask for, and no verdict', () => {
  const bytes = fc.uint8Array({ minLength: payloadBytes, maxLength: payloadBytes })
  // Never those of the packet that is not marked.
  const marks = fc.record({ id: fc.integer({ min: 2, max: 0xffff }), seq: fc.nat({ max: 0xffff }) })
  let sent = 0
  fc.assert(
    fc.property(arbitraryDeclaration({ maxPorts: 6 }), marks, bytes, fc.nat(), (declaration, mark, payload, choice) => {
      const world = testWorld(declaration)
      const { ports } = world.index.input.network
      for (const [index, from] of ports.entries()) {
        const to = ports[(index + choice) % ports.length]!
        const asked = { ...kinds[(choice + index) % kinds.length]!, from: from.name, to: to.ip }
        const request = traceRequestSchema.parse({ ...asked, ...(asked.proto === 58 && { to: to.ip6 ?? to.ip }) })
        if (request.to.includes(':') && from.ip6 === undefined) continue
        const plain = prepareTrace(world, request, { id: 1, seq: 1 }, new Uint8Array(payloadBytes))
        const marked = prepareTrace(world, request, mark, payload)
        expect(outcome(marked.path)).toEqual(outcome(plain.path))
        expect(outcome(marked.path)).toEqual(outcome(traceSimulated(world, request)))
        if (!plain.frame || !marked.frame) continue
        expect(seenByFlows(marked.frame)).toEqual(seenByFlows(plain.frame))
        // And yet it is known again, but for questions for a MAC, of which any is as good.
        if (Buffer.compare(plain.frame, marked.frame) !== 0) expect(markOf(marked.frame)).not.toEqual(markOf(plain.frame))
        sent++
      }
    }),
    { numRuns: 60 },
  )
  expect(sent).toBeGreaterThan(30)
})
