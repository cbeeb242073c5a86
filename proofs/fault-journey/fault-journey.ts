import type { Proof } from '../proof.ts'
import { suffer, tableOf, type Outcome } from './journey.ts'
import { cableFaults, guestFaults, hostFaults } from './physical-faults.ts'
import { Rig } from './rig.ts'
import { alteredFlows, declaredFaults, packetFaults } from './virtual-faults.ts'

/** Faults of every kind, put one after the other into a real cluster: the trace names what is wrong. */
export default {
  name: 'fault-journey',
  title: 'A trace names device, reason and object of every kind of fault that is put into a real cluster',
  kind: 'lab',
  outsideTests: true,
  async run({ scale, log }) {
    const all = [...alteredFlows, ...declaredFaults, ...packetFaults, ...guestFaults, ...hostFaults, ...cableFaults]
    const faults = scale === 'full' ? all : [alteredFlows[0]!, declaredFaults[1]!, guestFaults[0]!, cableFaults[1]!]
    await using rig = await Rig.start(log)
    const outcomes: Outcome[] = []
    for (const fault of faults) {
      const outcome = await suffer(rig, fault)
      log(tableOf([outcome])[0]!)
      outcomes.push(outcome)
    }
    log('')
    for (const line of tableOf(outcomes)) log(line)
    const wrong = outcomes.filter(({ right }) => !right)
    log(`${outcomes.length - wrong.length} of ${outcomes.length} kinds of fault named`)
    if (wrong.length > 0) throw new Error(`Not named: ${wrong.map(({ kind, said }) => `${kind}: ${said}`).join('; ')}`)
    const slowest = outcomes.reduce((one, other) => (other.seconds > one.seconds ? other : one))
    return { faults: outcomes.length, named: outcomes.length, slowestSeconds: slowest.seconds, slowest: slowest.kind }
  },
} satisfies Proof
