/**
 * Run inside a guest. `answer ADDRESS NAME`: answers numbered UDP packets to a floating address, which need not be here, with its name, until
 * stdin ends. `probe ADDRESS`: sends one each millisecond; for each line on stdin it prints an `Outage` of the time since the line before.
 */
import { createSocket } from 'node:dgram'
import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

/** What a client saw of who answers. Of probes that it did not send in time nothing is known: it is not taken for an outage. */
export interface Outage {
  /** The longest time between a probe that was not answered and the next that was. */
  longestMs: number
  /** From the first probe that nobody has answered since; 0 where the last ones were. */
  openMs: number
  /** Who answered last; null: nobody. */
  from: string | null
  answers: number
}

const port = 7788
/** What is younger may still be answered. */
const patienceMs = 50

if (import.meta.main) {
  const [mode, address, name] = process.argv.slice(2) as [string, string, string]
  if (mode === 'answer') answer(address, name)
  else await probe(address)
}

function answer(address: string, name: string): void {
  // Answers come from the address, and it may be bound before it is here: ip(7).
  writeFileSync('/proc/sys/net/ipv4/ip_nonlocal_bind', '1')
  const socket = createSocket('udp4')
  const from = Buffer.from(name)
  socket.on('message', (bytes, peer) => socket.send([bytes, from], peer.port, peer.address, () => undefined))
  socket.bind(port, address, () => console.log('ready'))
  process.stdin.resume().once('end', () => process.exit())
}

async function probe(address: string): Promise<void> {
  const socket = createSocket('udp4')
  const sentAtMs: number[] = []
  let answered = new Set<number>()
  let first = 0
  let from: string | null = null
  socket.on('message', (bytes) => {
    answered.add(bytes.readUInt32BE())
    from = bytes.subarray(4).toString()
  })
  // That the address is nowhere is what is measured.
  socket.on('error', () => undefined)
  socket.bind(0)
  createInterface({ input: process.stdin })
    .on('line', () => {
      const found = outageOf(sentAtMs, answered, first, from, performance.now())
      // A time without answers that goes on is the next one's, too.
      if (found.openMs === 0) [first, answered] = [sentAtMs.length, new Set()]
      console.log(JSON.stringify(found))
    })
    .once('close', () => process.exit())
  console.log('ready')
  for (const startMs = performance.now(); ; await sleep(1)) {
    for (const due = performance.now() - startMs; sentAtMs.length < due;) {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32BE(sentAtMs.length)
      sentAtMs.push(performance.now())
      socket.send(bytes, port, address, () => undefined)
    }
  }
}

/** Probes are numbered from 0; those before `first` do not count. */
export function outageOf(sentAtMs: readonly number[], answered: ReadonlySet<number>, first: number, from: string | null, nowMs: number): Outage {
  let longestMs = 0
  let sinceMs: number | null = null
  for (let number = first; number < sentAtMs.length; number++) {
    const at = sentAtMs[number]!
    if (answered.has(number)) {
      if (sinceMs !== null) longestMs = Math.max(longestMs, at - sinceMs)
      sinceMs = null
    } else if (nowMs - at > patienceMs) sinceMs ??= at
  }
  return { longestMs, openMs: sinceMs === null ? 0 : nowMs - sinceMs, from, answers: answered.size }
}
