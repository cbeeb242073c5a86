import { readFileSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PcapStream } from '../agent/network/pcap-stream.ts'
import { until, type NetworkLab } from './network-lab.ts'

/** What sends and receives numbered packets inside guests; see there. */
const program = join(import.meta.dirname, '../agent/network/switch/fixtures/numbered-packets-in-guest.ts')
const inHost = '/tmp/numbered-packets.ts'
const node = '/opt/holdfast/current/bin/node'
const udpPort = 9999
/** Where the number of a packet is: behind Ethernet, IPv4 and UDP. */
const numberAt = 14 + 20 + 8
/** Packets that are sent before something happens. */
const before = 300
/** What is on its way, or in a buffer of who counts, is there when nothing more has come for so long. */
const quietMs = 1000
const patienceMs = 30_000

/** One end of a stream: a guest, and the host that it is on. */
export interface StreamEnd {
  guest: string
  host: string
}

/** What became of a stream of packets, by the clock of the kernel at both guests' devices. */
export interface Streamed {
  sent: number
  lost: number
  repeated: number
  /** The longest time in which nothing that was sent arrived: from the first packet that was lost or late to the next arrival of any. */
  outageMs: number
}

/** Sends a packet each millisecond from guest to guest, `count` of them, while something happens after the first few hundred. */
export async function streamPackets(
  lab: NetworkLab,
  { from, to, address, count }: { from: StreamEnd; to: StreamEnd; address: string; count: number },
  act: () => Promise<unknown>,
): Promise<Streamed> {
  for (const { host } of [from, to]) writeFileSync(`/proc/${await lab.initPid(host)}/root${inHost}`, readFileSync(program))
  // Somebody has to have the port: else its host answers each packet with an error.
  const receiver = await lab.start(to.guest, node, inHost, 'receive')
  await once(receiver.stdout, 'data')
  const [left, arrived] = await Promise.all([capture(lab, from.guest), capture(lab, to.guest)])
  const sending = lab.inside(from.guest, node, inHost, 'send', address, String(count))
  await until('a stream', () => Promise.resolve(left.passages.length >= Math.min(before, count) || null), 5)
  await act()
  await sending
  for (const deadlineMs = performance.now() + patienceMs; left.passages.length < count && performance.now() < deadlineMs;) await sleep(50)
  for (let seen = -1; seen < arrived.passages.length; await sleep(quietMs)) seen = arrived.passages.length
  receiver.stdin.end()
  await Promise.all([left.end(), arrived.end()])
  if (left.passages.length < count) throw new Error(`${left.passages.length} of ${count} packets were seen to leave ${from.guest}`)
  return judge(left.passages, arrived.passages, count)
}

/** A packet's number, and when it passed. */
type Passage = readonly [number: number, atUs: number]

/** Every packet of the stream that passes a guest's device, until it is ended. */
async function capture(lab: NetworkLab, guest: string): Promise<{ passages: readonly Passage[]; end(): Promise<void> }> {
  const tcpdump = `tcpdump -i eth0 -n -U -B 16384 -w - udp dst port ${udpPort} 2>/dev/null & read -r _; kill $!; wait $!`
  const child = await lab.start(guest, 'sh', '-c', tcpdump)
  const stream = new PcapStream()
  const passages: Passage[] = []
  child.stdout.on('data', (chunk: Buffer) => {
    for (const { atUs, frame } of stream.push(chunk)) passages.push([frame.readUInt32BE(numberAt), atUs])
  })
  const over = once(child, 'close')
  while (!stream.begun) await Promise.race([once(child.stdout, 'data'), over.then(() => Promise.reject(new Error(`tcpdump in ${guest} has ended`)))])
  return {
    passages,
    async end() {
      child.stdin.end()
      await over
    },
  }
}

/** Later than this a packet counts as held up. */
const lateUs = 20_000

/** Holds what was sent against what arrived. */
export function judge(sent: readonly Passage[], arrivals: readonly Passage[], count: number): Streamed {
  const firstArrival = new Map<number, number>()
  const repeated = new Set<number>()
  for (const [number, atUs] of arrivals) {
    if (firstArrival.has(number)) repeated.add(number)
    else firstArrival.set(number, atUs)
  }
  const times = arrivals.map(([, atUs]) => atUs).sort((a, b) => a - b)
  let outageUs = 0
  let next = 0
  for (const [number, sentUs] of sent) {
    if ((firstArrival.get(number) ?? Infinity) - sentUs <= lateUs) continue
    while (next < times.length && times[next]! <= sentUs) next++
    outageUs = Math.max(outageUs, (times[next] ?? Infinity) - sentUs)
  }
  return { sent: count, lost: count - firstArrival.size, repeated: repeated.size, outageMs: outageUs / 1000 }
}
