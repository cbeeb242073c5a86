import { join } from 'node:path'
import { ensureBaseLayer } from '../../lab/base.ts'
import type { Proof } from '../proof.ts'
import { caseText, randomCase, reduced, type Case } from './case.ts'
import { Chance } from '../chance.ts'
import { compare, noCounts } from './compare.ts'
import { DummySwitch, type Bridge } from './dummy-switch.ts'
import { fixedCases } from './fixed-cases.ts'

const otherActions =
  (change: (actions: string) => string) =>
  (bridge: Bridge): Bridge => ({ ...bridge, flows: bridge.flows.map((flow) => ({ ...flow, actions: change(flow.actions) })) })

/** Interpreters that are wrong in one thing each; the comparison must catch every one, or it could not catch ours. */
const broken: { what: string; wrong: (bridge: Bridge) => Bridge }[] = [
  { what: 'does not know of dec_ttl', wrong: otherActions((actions) => actions.replaceAll('dec_ttl', 'note:00')) },
  { what: 'commits no connection', wrong: otherActions((actions) => actions.replaceAll('ct(commit', 'ct(zone=5')) },
  {
    what: 'takes every match on a fragment for one on all packets',
    wrong: (bridge) => ({ ...bridge, flows: bridge.flows.map((flow) => ({ ...flow, match: flow.match.replace(/,ip_frag=\w+/, '') })) }),
  },
  { what: 'sends back what it should not', wrong: otherActions((actions) => actions.replaceAll(/output:[1-6]\b/g, 'in_port')) },
  { what: 'takes every bucket for alive', wrong: (bridge) => ({ ...bridge, portsDown: new Set() }) },
  { what: 'does not know of groups', wrong: otherActions((actions) => actions.replaceAll(/group:\d+/g, 'note:00')) },
]

/** Random pipelines, each with frames that come one after the other, through Open vSwitch and through the interpreter: not a byte may differ. */
export default {
  name: 'openflow-agreement',
  title: 'The interpreter of OpenFlow flows does to every packet what Open vSwitch does',
  kind: 'lab',
  async run({ seed, scale, log }) {
    const rounds = scale === 'small' ? 60 : 3000
    const counts = { ...noCounts }
    const usr = join(await ensureBaseLayer(log), 'usr')
    let dummy = await DummySwitch.start(usr)
    let crashes = 0
    try {
      for (let round = 0; round < rounds; round++) {
        const tried = randomCase(new Chance(seed + round))
        const difference = await compare(dummy, tried, counts).catch(async (thrown: unknown) => {
          if (dummy.running) throw thrown
          // Some random pipelines end in a failed assertion of ovs-vswitchd 3.1: nothing to agree with.
          log(`pipeline with seed ${seed + round}: ovs-vswitchd has ended by itself`)
          if (++crashes > rounds / 100) throw thrown
          await dummy.stop()
          dummy = await DummySwitch.start(usr)
          return null
        })
        if (difference !== null) {
          const smaller = await reduced(tried, async (candidate) => (await compare(dummy, candidate, { ...noCounts })) !== null)
          throw new Error(`Pipeline with seed ${seed + round}: ${difference}\nStill so with:\n${caseText(smaller)}`)
        }
        if (round % 500 === 499) log(`${round + 1} of ${rounds} pipelines, ${counts.frames} frames, ${counts.outputs} outputs`)
      }
      for (const { what, wrong } of broken) {
        const caught = async (tried: Case): Promise<boolean> => (await compare(dummy, tried, { ...noCounts }, { interpreted: wrong(tried) })) !== null
        let round = 0
        while (!(await caught(randomCase(new Chance(seed + round))))) {
          if (++round > 300) throw new Error(`The comparison did not catch an interpreter that ${what}`)
        }
        log(`caught after ${round + 1} pipelines: an interpreter that ${what}`)
      }
      for (const [name, tried] of Object.entries(fixedCases)) {
        const difference = await compare(dummy, tried, counts, { skipping: false })
        if (difference !== null) throw new Error(`${name}: ${difference}\n${caseText(tried)}`)
      }
    } finally {
      await dummy.stop()
    }
    return { ...counts, switchCrashes: crashes }
  },
} satisfies Proof
