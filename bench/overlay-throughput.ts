import { once } from 'node:events'
import type { Bench, BenchContext, BenchRow } from './bench.ts'
import { bring, debianPrograms } from './debian-programs.ts'
import { withNetworkLab, type NetworkLab } from './network-lab.ts'
import { median } from './statistics.ts'

const packages = ['iperf3', 'libiperf0', 'libsctp1']
const seconds = 3
const mtusBytes = [1450, 8950] as const

/** Networks of either MTU, with stateful ACLs, which ask conntrack, and without. */
const networks = mtusBytes.flatMap((mtuBytes, index) => [
  { name: `guarded-${mtuBytes}`, subnet: `10.20.${index}`, mtuBytes, guarded: true },
  { name: `open-${mtuBytes}`, subnet: `10.21.${index}`, mtuBytes, guarded: false },
])
const declaration = [
  'networks:',
  ...networks.map(({ name, subnet, mtuBytes }) => `  - {name: ${name}, vpc: shop, subnet: ${subnet}.0/24, gateway: ${subnet}.1, mtu: ${mtuBytes}}`),
  'acls:',
  ...networks
    .filter(({ guarded }) => guarded)
    .map(({ name }) => `  - {name: ${name}, network: ${name}, direction: in, priority: 100, match: {proto: tcp, dport: 22}, action: drop}`),
  'ports:',
  ...networks.flatMap(({ name, subnet }) =>
    [1, 2].map((host) => `  - {name: ${name}-${host}, network: ${name}, ip: ${subnet}.1${host}, host: h${host}, attach: {kind: netns}}`),
  ),
].join('\n')

/** A way between two hosts that is measured. `end`: where and behind which words a program runs at either end. */
interface Way {
  what: string
  mtuBytes: number
  end(host: 1 | 2): string[]
  address: string
  prepare(lab: NetworkLab): Promise<unknown>
}

const overlays = networks.map(({ name, subnet, mtuBytes, guarded }): Way => ({
  what: `overlay, MTU ${mtuBytes}, ${guarded ? 'stateful ACLs' : 'no ACLs'}`,
  mtuBytes,
  end: (host) => [`${name}-${host}`],
  address: `${subnet}.12`,
  prepare: () => Promise.resolve(),
}))

/** What Linux does by itself: the same guests on a bridge with a VXLAN device, on the storage plane, where Open vSwitch is not. */
const bridges = mtusBytes.flatMap((mtuBytes) =>
  (['on', 'off'] as const).map((offloads): Way => {
    const end = (host: 1 | 2): string[] => [`h${host}`, 'ip', 'netns', 'exec', 'plain']
    return {
      what: `kernel VXLAN bridge, MTU ${mtuBytes}, offloads ${offloads}`,
      mtuBytes,
      end,
      address: '10.99.0.2',
      async prepare(lab) {
        for (const host of [1, 2] as const) {
          const features = ['tx', 'tso', 'gso', 'gro'].flatMap((feature) => [feature, offloads])
          await insideEnd(lab, end(host), 'ethtool', '-K', 'eth0', ...features)
          await insideEnd(lab, end(host), 'ip', 'link', 'set', 'eth0', 'mtu', String(mtuBytes))
        }
      },
    }
  }),
)

function run({ quick, log }: BenchContext): Promise<BenchRow[]> {
  return withNetworkLab(`through-${process.pid}`, 2, log, async (lab) => {
    const directory = await debianPrograms(packages)
    const iperf = (await Promise.all(['h1', 'h2'].map(async (host) => bring(directory, await lab.initPid(host)))))[0]!
    await lab.apply(declaration)
    await makeBridges(lab)
    for (const host of ['h1', 'h2']) await lab.ready(host)
    const ways = [...overlays, ...bridges]
    const rates = new Map<Way, number[]>(ways.map((way) => [way, []]))
    for (let round = 1; round <= (quick ? 1 : 5); round++) {
      for (const way of ways) {
        await way.prepare(lab)
        const mbits = await throughput(lab, way, iperf)
        rates.get(way)!.push(mbits)
        log(`${way.what}, round ${round}: ${mbits.toFixed(0)} Mbit/s`)
      }
    }
    const of = (way: Way): number => median(rates.get(way)!)
    const { datapath } = (await lab.ready('h1')).active!.base
    const note = `Open vSwitch in ${datapath === 'kernel' ? 'the kernel' : 'user space'}`
    return [
      ...ways.map((way): BenchRow => ({ figure: way.what, value: of(way), unit: 'Mbit/s', ...(overlays.includes(way) && { note }) })),
      ...overlays.flatMap((way) =>
        bridges
          .filter(({ mtuBytes }) => mtuBytes === way.mtuBytes)
          .map((bridge): BenchRow => ({ figure: `${way.what} to ${bridge.what}`, value: of(way) / of(bridge), unit: 'ratio' })),
      ),
    ]
  })
}

const insideEnd = (lab: NetworkLab, [where = '', ...words]: string[], ...argv: string[]): Promise<string> => lab.inside(where, ...words, ...argv)

/** TCP from the first host to the second for some seconds, in Mbit/s as received. */
async function throughput(lab: NetworkLab, { end, address }: Way, iperf: Awaited<ReturnType<typeof bring>>): Promise<number> {
  const [where = '', ...words] = end(2)
  const server = await lab.start(where, ...words, ...iperf('iperf3', '--server', '--one-off', '--forceflush'))
  const over = once(server, 'close')
  // It says that it listens.
  await Promise.race([once(server.stdout, 'data'), over.then(() => Promise.reject(new Error(`iperf3 on ${where} has ended`)))])
  const answer = await insideEnd(lab, end(1), ...iperf('iperf3', '--client', address, '--time', String(seconds), '--json'))
  await over
  const { end: sums } = JSON.parse(answer) as { end: { sum_received: { bits_per_second: number } } }
  return sums.sum_received.bits_per_second / 1e6
}

async function makeBridges(lab: NetworkLab): Promise<void> {
  const addresses = lab.lab.hosts.map(({ addresses: { storage } }) => storage)
  for (const [index, host] of ['h1', 'h2'].entries()) {
    const lines = [
      'ip netns add plain',
      'ip link add br-plain mtu 8950 type bridge',
      `ip link add vx-plain mtu 8950 type vxlan id 77 local ${addresses[index]} remote ${addresses[1 - index]} dstport 14789 dev storage`,
      'ip link add plain0 mtu 8950 type veth peer name eth0 mtu 8950 netns plain',
      ...['vx-plain', 'plain0'].map((device) => `ip link set ${device} master br-plain up`),
      'ip link set br-plain up',
      `ip -n plain address add 10.99.0.${index + 1}/24 dev eth0`,
      'ip -n plain link set eth0 up',
    ]
    await lab.inside(host, 'sh', '-ec', lines.join('\n'))
  }
}

export default {
  name: 'overlay-throughput',
  title: 'TCP between guests of two hosts through the overlay, beside a plain VXLAN bridge of the kernel',
  kind: 'lab',
  run,
} satisfies Bench
