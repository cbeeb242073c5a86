/** A program for a test to kill: writes one snapshot after the other, each of 2,000 objects that carry its number. */
import { Inventory } from './inventory.ts'

const inventory = await Inventory.open(process.argv[2]!)
const source = { context: 'lab', host: 'h1', module: 'monitor' }
const before = (await inventory.position(source))?.rev ?? 0
for (let rev = before + 1; ; rev++) {
  const items = Array.from({ length: 2000 }, (_, n) => {
    const name = `n${n}-generation-${rev}`
    return {
      kind: 'nic',
      id: `h1/${name}`,
      atMs: rev,
      doc: { host: 'h1', name, mac: '02:00:00:00:00:01', addresses: [], state: 'up', mtuBytes: rev },
    }
  })
  await inventory.apply({ ...source, frame: { type: 'snapshot', epoch: 'e', rev, nowMs: 0, items }, receivedAtMs: rev })
  if (rev === before + 1) process.send!('first snapshot is on disk')
}
