import { describe, expect, it } from 'vitest'
import { HoldfastError } from '../../core/errors.ts'
import type { SwitchQuestion, SwitchReading } from '../../core/model/switch-reading.ts'
import { traceRequestSchema, type TraceResult } from '../../core/model/trace.ts'
import { prepareTrace } from '../../core/net/trace/simulate.ts'
import { shop, testWorld } from '../../core/net/trace/test-world.ts'
import type { AgentClient } from '../deploy/clusters.ts'
import { SwitchWatch } from './switch-watch.ts'

const world = testWorld(shop)
const [h1, h2] = ['0a:58:0a:53:05:01', '0a:58:0a:53:05:02']

type Answer = (asked: SwitchQuestion & { switch: string }, time: number) => Promise<SwitchReading>

/** A watch of a ping from h1 by tor1 and tor2 to h2 and back, with what the agents of both were asked. `answer`: by host; none: it is gone. */
function watch(answer: Partial<Record<string, Answer>>) {
  const { path, frame } = prepareTrace(world, traceRequestSchema.parse({ from: 'web-1', to: 'db-1' }), { id: 1, seq: 1 }, new Uint8Array(16))
  const asked: (SwitchQuestion & { switch: string; host: string })[] = []
  const agentOf = (host: string) => {
    if (!answer[host]) return new HoldfastError('offline', `${host} does not answer`, '')
    const switchPorts = (input: SwitchQuestion & { switch: string }) => {
      asked.push({ host, ...input })
      return answer[host]!(input, asked.filter((one) => one.switch === input.switch && one.host === host).length)
    }
    return { network: { switchPorts } } as unknown as AgentClient
  }
  const hops = path.hops.map((hop) => ({ ...hop, evidence: hop.action === 'switched' ? hop.evidence : ('seen' as const) }))
  const switches = new SwitchWatch(world, path, frame!, agentOf)
  /** What becomes of a trace with this verdict. */
  const judged = (verdict: TraceResult['verdict']): TraceResult => ({ ...path, hops, verdict, limit: verdict === 'unknown' ? 'It is lost.' : null })
  const ofSwitches = async (verdict: TraceResult['verdict']) => {
    await switches.readBefore()
    const { hops } = await switches.complete(judged(verdict))
    return hops.flatMap(({ action, host, evidence }) => (action === 'switched' ? [`${host} ${evidence}`] : []))
  }
  return { asked, ofSwitches }
}

/** What both switches say: counters that moved by `moved`. */
const saying = (name: string, moved: number): SwitchReading => {
  const port = (of: string) => ({ port: of, state: 'up' as const, inPackets: 5 + moved, outPackets: 5 + moved })
  const [near, far] = name === 'tor1' ? ['swp8', 'swp17'] : ['swp17', 'swp9']
  return { ports: [port(near!), port(far!)], learned: [{ mac: h1, port: near! }, { mac: h2, port: far! }] } // prettier-ignore
}
const never = () => new Promise<never>(() => undefined)
const allSeen = ['tor1 seen', 'tor2 seen', 'tor2 seen', 'tor1 seen']
const noneSeen = ['tor1 inferred', 'tor2 inferred', 'tor2 inferred', 'tor1 inferred']

describe('switches on the way', () => {
  it('are asked once before and once after a packet that arrives, whether or not their counters move at once', async () => {
    const { ofSwitches, asked } = watch({ h1: (input) => Promise.resolve(saying(input.switch, 0)) })
    expect(await ofSwitches('delivered')).toEqual(allSeen)
    const questions = [
      { host: 'h1', switch: 'tor1', ports: ['swp8'], macs: [h1, h2] },
      { host: 'h1', switch: 'tor2', ports: ['swp9'], macs: [h1, h2] },
    ]
    expect(asked).toEqual([...questions, ...questions])
  })

  it('are asked by the other host where one is gone or hears no such switch', async () => {
    const deaf = () => Promise.reject(new Error('hears no such switch'))
    for (const others of [{}, { h1: deaf }, { h1: never }]) {
      const { ofSwitches } = watch({ ...others, h2: (input, time) => Promise.resolve(saying(input.switch, time)) })
      expect(await ofSwitches('delivered')).toEqual(allSeen)
    }
  })

  it('are asked about a packet that was lost until their counters move', async () => {
    const { ofSwitches, asked } = watch({ h1: (input, time) => Promise.resolve(saying(input.switch, time < 4 ? 0 : 1)) })
    await ofSwitches('unknown')
    expect(asked).toHaveLength(2 * 4)
  })

  it('are asked until they have learned the sender', async () => {
    const young = (reading: SwitchReading): SwitchReading => ({ ...reading, learned: reading.learned.map((one) => ({ ...one, port: null })) })
    const { ofSwitches, asked } = watch({
      h1: (input, time) => Promise.resolve(time < 3 ? young(saying(input.switch, 0)) : saying(input.switch, 0)),
    })
    expect(await ofSwitches('delivered')).toEqual(allSeen)
    expect(asked).toHaveLength(2 * 3)
  })

  it('stay inferred where they do not answer, and are not asked a second time', async () => {
    const { ofSwitches, asked } = watch({ h1: never })
    expect(await ofSwitches('delivered')).toEqual(noneSeen)
    expect(asked).toHaveLength(2)
  })

  it('stay inferred where they answer no more', async () => {
    const { ofSwitches } = watch({ h1: (input, time) => (time === 1 ? Promise.resolve(saying(input.switch, 0)) : never()) })
    expect(await ofSwitches('delivered')).toEqual(noneSeen)
  })
})
