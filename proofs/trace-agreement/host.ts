/**
 * Run inside a lab host: an Open vSwitch with a guest on each of its ports, as the agent makes them, for commands on stdin (see
 * host-commands.ts). Ends, and ends its switch, with its stdin.
 */
import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { ErrorAnswers } from '../../agent/network/keeper/error-answers.ts'
import type { DesiredSwitch } from '../../agent/network/switch/desired-switch.ts'
import { OvsInstance } from '../../agent/network/switch/ovs-instance.ts'
import { switchPaths } from '../../agent/network/switch/switch-paths.ts'
import { createLogger } from '../../agent/runtime/logger.ts'
import { errorMeter, errorsPerSecond } from '../../core/net/compile/tables.ts'
import { GuestSockets } from './guest-sockets.ts'
import type { Arrived, GuestSetup, HostCommand } from './host-commands.ts'

const run = promisify(execFile)
const paths = switchPaths('/run/holdfast-proof', '/run/holdfast-proof')
mkdirSync(paths.directory, { recursive: true })
/** More than any network's MTU, so that it is the switch that finds a packet too long. */
const mtuBytes = 9500
const nic = 'tenant'
/**
 * Open vSwitch 3.1 loses, three times in four, a packet that it reads in one go with a far larger one before it of the same flow, where that is
 * too large for a tunnel. What comes of one packet is to be proven here, so large ones come last and one at a time.
 */
const largeBytes = 1600
const largePauseMs = 20
const guests = new Map<number, GuestSockets>()
const errorAnswers = new ErrorAnswers(createLogger('proof'))
let base: Omit<DesiredSwitch, 'flows'>
let ovs: OvsInstance

const commands: { [K in HostCommand['do']]: (command: HostCommand & { do: K }) => unknown } = {
  async start({ end, peers, numbers }) {
    for (const number of numbers) await makeGuest(number)
    const ports = numbers.map((number) => ({ device: `hf${number}`, number }))
    const meters = [`meter=${errorMeter},pktps,burst,stats,bands=type=drop,rate=${errorsPerSecond},burst_size=${errorsPerSecond}`]
    base = { datapath: 'userspace', nic, tunnelEnd: end, peers, ports, meters }
    ovs = await OvsInstance.start(paths, 1, { ...base, flows: [] }, false)
    errorAnswers.attend()
  },
  async network({ flows, guests: wanted }) {
    const setup = (number: number): GuestSetup => wanted.find((one) => one.number === number) ?? { number, mac: '', addresses: [], gateways: [] }
    const configured = Promise.all([...guests.keys()].map((number) => setUp(setup(number))))
    const { problems } = await ovs.converge({ ...base, flows })
    await configured
    await forget()
    return problems
  },
  async cables({ down }) {
    await ip(
      '-',
      [...guests.keys()].map((number) => `link set dev hf${number} ${down.includes(number) ? 'down' : 'up'}`),
    )
  },
  mtu: ({ bytes }) => ip('-', [`link set dev ${nic} mtu ${bytes}`]),
  async send({ packets }) {
    for (const { number, way, bytes } of packets.toSorted((a, b) => a.bytes.length - b.bytes.length)) {
      if (bytes.length > 2 * largeBytes) await sleep(largePauseMs)
      const [guest, packet] = [guests.get(number)!, Buffer.from(bytes, 'hex')]
      if (way === 'kernel') guest.sendPacket(packet)
      else guest.sendFrame(packet)
    }
  },
  seen: (): Arrived[] => [...guests].flatMap(([number, guest]) => [...guest.received()].map((frame) => ({ number, frame: frame.toString('hex') }))),
  forget,
}

/** Has the switch and all guests know nothing of what was before. */
async function forget(): Promise<void> {
  await ovs.control('dpctl/flush-conntrack')
  for (const number of guests.keys()) for (const _ of guests.get(number)!.received());
  await Promise.all([...guests.keys()].map((number) => ip(`g${number}`, ['neigh flush dev eth0', 'route flush cache'])))
}

/** Runs commands of ip(8) in a guest, or in the host itself (`-`). */
async function ip(guest: string, lines: readonly string[]): Promise<void> {
  const running = run('ip', [...(guest === '-' ? [] : ['-n', guest]), '-batch', '-'])
  running.child.stdin?.end(`${lines.join('\n')}\n`)
  await running
}

async function makeGuest(number: number): Promise<void> {
  const name = `g${number}`
  await run('ip', ['netns', 'add', name])
  await run('ip', [
    'link',
    'add',
    `hf${number}`,
    'mtu',
    String(mtuBytes),
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'mtu',
    String(mtuBytes),
    'netns',
    name,
  ])
  await run('ip', ['netns', 'exec', name, 'ethtool', '-K', 'eth0', 'tx', 'off'])
  // A guest may be sent what it would take for forged, e.g. from addresses that it has no way back to.
  await run('ip', [
    'netns',
    'exec',
    name,
    'sysctl',
    '-q',
    'net.ipv4.conf.all.rp_filter=0',
    'net.ipv4.conf.default.rp_filter=0',
    'net.ipv4.conf.eth0.rp_filter=0',
  ])
  await ip(name, ['link set dev lo up', 'link set dev eth0 up'])
  await ip('-', [`link set dev hf${number} up`])
  const { stdout } = await run('ip', ['-n', name, '-json', 'link', 'show', 'dev', 'eth0'])
  const [{ ifindex }] = JSON.parse(stdout) as [{ ifindex: number }]
  guests.set(number, new GuestSockets(`/run/netns/${name}`, ifindex))
}

async function setUp({ number, mac, addresses, gateways }: GuestSetup): Promise<void> {
  await ip(`g${number}`, [
    'address flush dev eth0 scope global',
    'route flush dev eth0',
    ...(mac === '' ? [] : [`link set dev eth0 address ${mac}`]),
    ...addresses.map((address) => `address add ${address} dev eth0${address.includes(':') ? ' nodad' : ''}`),
    ...gateways.map((gateway) => `route replace default via ${gateway} dev eth0`),
  ])
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as HostCommand
  const answer = await Promise.resolve()
    .then(() => (commands[command.do] as (command: HostCommand) => unknown)(command))
    .then(
      (result) => ({ result: result ?? null }),
      (thrown: unknown) => ({ error: (thrown as Error).message }),
    )
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
await ovs!.end()
process.exit()
