import { join } from 'node:path'
import { broadcastModes } from '../core/model/network.ts'
import { maxSourceMembers } from '../core/net/broadcast/source-limit.ts'
import { ensureBaseLayer } from '../lab/base.ts'
import type { Bench } from './bench.ts'
import { joining } from './joining.ts'
import { inNamespaces } from './line-process.ts'
import { framesPerTrial, type SourceTrial } from './source-limits-switch.ts'

/** In a flow-mod: `set_field` of tun_dst, and `output`, 16 bytes each (OpenFlow 1.5.1 §7.2.6). */
const bytesPerCopy = 32
/** Of a bundle's message, the flow-mod, its match, the instruction, and `set_field` of tun_id. */
const otherBytes = 16 + 48 + 24 + 8 + 24
const messageBytes = 0xffff
/** More than any of the limits. */
const tooMany = 2100
/** For the number of hosts that one change of the members touches. */
const sample = 100

const bench: Bench = {
  name: 'source-limits',
  title: 'How many hosts one flow can copy a broadcast to: the article’s limit, OpenFlow’s, and those of the Open vSwitch that runs here',
  kind: 'lab',
  async run({ log }) {
    const program = join(import.meta.dirname, 'source-limits-switch.ts')
    await using host = await inNamespaces(program, join(await ensureBaseLayer(log), 'usr'))
    const trials = new Map<number, SourceTrial>()
    const trial = async (members: number): Promise<SourceTrial> => {
      const known = trials.get(members)
      if (known) return known
      const found = await host.ask<SourceTrial>(String(members))
      trials.set(members, found)
      log(
        `${members} copies: ${found.accepted ? `accepted, ${found.complete} of ${framesPerTrial} frames whole, ${found.fewestCopies} copies at least` : 'refused'}`,
      )
      return found
    }
    const accepted = await greatest(async (members) => (await trial(members)).accepted)
    const whole = await greatest(async (members) => (await trial(members)).complete === framesPerTrial)
    const over = await trial(accepted)
    return [
      { figure: 'the article: 64 Kbit of flow', value: Math.floor(65_536 / 8 / bytesPerCopy), unit: 'copies', note: `${bytesPerCopy} bytes each` },
      {
        figure: 'OpenFlow: a message’s length has 16 bits',
        value: Math.floor((messageBytes - otherBytes) / bytesPerCopy),
        unit: 'copies',
        note: `calculated: ${messageBytes} bytes, ${otherBytes} of them for the rest`,
      },
      { figure: 'a flow that is accepted', value: accepted, unit: 'copies', note: `found by bisection; one more: ${lastLine(host.complaints())}` },
      {
        figure: 'a frame of which every copy is delivered',
        value: whole,
        unit: 'copies',
        note: `by bisection; of ${accepted} come ${over.fewestCopies}`,
      },
      {
        figure: 'what planning allows: other member hosts',
        value: maxSourceMembers - 1,
        unit: 'copies',
        goal: { max: whole },
        note: 'the rest is left to ports of the host itself',
      },
      ...broadcastModes.map((mode) => ({
        figure: `${mode}: hosts whose broadcast flows change when one joins ${sample}`,
        value: joining(mode, sample).broadcast.hosts,
        unit: 'hosts',
        ...(mode !== 'source' && { goal: { max: 0 } }),
      })),
    ]
  },
}
export default bench

/** The greatest number that is good, where all smaller ones are, too. */
async function greatest(isGood: (members: number) => Promise<boolean>): Promise<number> {
  let [good, bad] = [1, tooMany]
  while (bad - good > 1) {
    const middle = (good + bad) >> 1
    if (await isGood(middle)) good = middle
    else bad = middle
  }
  return good
}

function lastLine(text: string): string {
  return text
    .trim()
    .split('\n')
    .at(-1)!
    .replace(/^.*:\d+: /, '')
}
