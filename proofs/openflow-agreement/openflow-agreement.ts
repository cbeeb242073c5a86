import { join } from 'node:path'
import { ensureBaseLayer } from '../../lab/base.ts'
import type { Proof } from '../proof.ts'
import { caseText, randomCase, reduced } from './case.ts'
import { Chance } from './chance.ts'
import { compare, noCounts } from './compare.ts'
import { DummySwitch } from './dummy-switch.ts'
import { fixedCases } from './fixed-cases.ts'

/** Random pipelines, each with frames that come one after the other, through Open vSwitch and through the interpreter: not a byte may differ. */
export default {
  name: 'openflow-agreement',
  title: 'The interpreter of OpenFlow flows does to every packet what Open vSwitch does',
  kind: 'lab',
  async run({ seed, scale, log }) {
    const rounds = scale === 'small' ? 100 : 5000
    const counts = { ...noCounts }
    const dummy = await DummySwitch.start(join(await ensureBaseLayer(log), 'usr'))
    try {
      for (let round = 0; round < rounds; round++) {
        const tried = randomCase(new Chance(seed + round))
        const difference = await compare(dummy, tried, counts)
        if (difference !== null) {
          const smaller = await reduced(tried, async (candidate) => (await compare(dummy, candidate, { ...noCounts })) !== null)
          throw new Error(`Pipeline with seed ${seed + round}: ${difference}\nStill so with:\n${caseText(smaller)}`)
        }
        if (round % 500 === 499) log(`${round + 1} of ${rounds} pipelines, ${counts.frames} frames, ${counts.outputs} outputs`)
      }
      for (const [name, tried] of Object.entries(fixedCases)) {
        const difference = await compare(dummy, tried, counts, false)
        if (difference !== null) throw new Error(`${name}: ${difference}\n${caseText(tried)}`)
      }
    } finally {
      await dummy.stop()
    }
    return counts
  },
} satisfies Proof
