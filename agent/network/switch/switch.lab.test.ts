import type { ChildProcessByStdio } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { sendError, answerMac } from '../../../core/net/compile/errors.ts'
import type { Flow } from '../../../core/net/openflow/flow.ts'
import { labCapture, labDown, labUp, type LabDescription } from '../../../lab/lab.ts'
import { bundlePrograms, programsDirectory, putPrograms, spawnInHost } from '../../../lab/host-programs.ts'
import { readState } from '../../../lab/state.ts'
import type { DesiredSwitch } from './desired-switch.ts'
import type { KeeperStatus, Takeover } from './keeper-status.ts'
import type { Converged, Drift } from './ovs-instance.ts'

const name = `v${process.pid}`
const hosts = ['h1', 'h2'] as const
type Host = (typeof hosts)[number]
let lab: LabDescription
const pids = {} as Record<Host, number>

const inside = async (host: Host, script: string) => (await labCapture({ name, host, argv: ['sh', '-c', script] })).stdout
const inGuest = (host: Host, command: string) => inside(host, `ip netns exec guest ${command}`)

beforeAll(async () => {
  lab = await labUp({ name, hosts: 2 })
  const programs = await bundlePrograms({
    'keeper': 'agent/network/keeper/main.ts',
    'switch-in-host': 'agent/network/switch/fixtures/switch-in-host.ts',
    'numbered-packets': 'agent/network/switch/fixtures/numbered-packets-in-guest.ts',
  })
  for (const [index, host] of hosts.entries()) {
    pids[host] = (await readState(name))!.hosts[host]!.init!.pid
    putPrograms(pids[host], programs)
    // A guest on port 300, as a module would make it, which knows where 10.20.1.1 is.
    const lines = [
      'ip netns add guest',
      'ip link add guest0 type veth peer name eth0 netns guest',
      'ip link set guest0 up mtu 1450',
      'ip netns exec guest ethtool -K eth0 tx off',
      `ip -n guest link set eth0 address 02:00:00:00:00:0${index + 1} mtu 1450 up`,
      'ip -n guest link set lo up',
      `ip -n guest addr add 10.20.1.1${index + 1}/24 dev eth0`,
      'ip -n guest neigh add 10.20.1.1 lladdr 02:aa:00:00:00:01 dev eth0',
      'ip -n guest route add default via 10.20.1.1',
    ]
    await inside(host, lines.join('\n'))
  }
})

afterAll(() => labDown({ name }))

/** A VirtualSwitch in a host, in a process of its own. */
class InHost implements Disposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #answers: AsyncIterator<string>

  constructor(host: Host) {
    this.#child = enter(host, `exec ${programsDirectory}/node ${programsDirectory}/switch-in-host.mjs ${programsDirectory}/keeper.mjs`)
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  async do<T>(action: string, desired?: Omit<DesiredSwitch, 'datapath'>): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify({ do: action, desired })}\n`)
    const answer = JSON.parse((await this.#answers.next()).value as string) as { result: T; error?: { message: string } }
    if (answer.error) throw new Error(answer.error.message)
    return answer.result
  }

  [Symbol.dispose](): void {
    this.#child.stdin.end()
  }
}

/** Starts a shell in a host with pipes for stdin and stdout. */
const enter = (host: Host, script: string) => spawnInHost(pids[host], ['sh', '-c', script])

const macOf = (ip: string) =>
  `0a:58:${ip
    .split('.')
    .map((byte) => Number(byte).toString(16).padStart(2, '0'))
    .join(':')}`

/** Both guests in one network of VNI 100, over one kind of tunnel; packets to 10.9.0.0/16 earn an error. */
function desiredOf(host: Host, tunnel: 'vxlan' | 'gre', more: Flow[] = []): Omit<DesiredSwitch, 'datapath'> {
  const [own, peer] = (host === 'h1' ? hosts : hosts.toReversed()).map((one) => lab.hosts.find((found) => found.name === one)!.addresses.tenant) as [
    string,
    string,
  ]
  const flow = (priority: number, match: string, actions: string): Flow => ({ table: 0, priority, cookie: `0x${priority}`, match, actions })
  const guestMac = host === 'h1' ? '02:00:00:00:00:01' : '02:00:00:00:00:02'
  return {
    nic: 'tenant',
    nicIndex: 1,
    tunnelEnd: { ip: own, mac: macOf(own), prefixLength: 24 },
    peers: [{ ip: peer, mac: macOf(peer) }],
    ports: [{ device: 'guest0', number: 300 }],
    flows: [
      flow(10, 'in_port=300', `set_field:100->tun_id,set_field:${peer}->tun_dst,output:${tunnel === 'vxlan' ? 1 : 2}`),
      flow(20, `in_port=${tunnel === 'vxlan' ? 1 : 2},tun_id=100`, 'output:300'),
      flow(30, 'in_port=300,ip,nw_dst=10.9.0.0/16', 'set_field:100->reg10,resubmit(,1)'),
      { ...flow(30, '', sendError('no-route')), table: 1 },
      flow(40, `in_port=3,dl_dst=${answerMac('no-route', 100)}`, `set_field:${guestMac}->eth_dst,output:300`),
      ...more,
    ],
    notOurs: [],
    watched: [],
    vlans: [],
    groups: [],
    meters: ['meter=1,pktps,burst,stats,band=type=drop,rate=100,burst_size=100'],
  }
}

async function eventually<T>(hold: () => Promise<T> | T): Promise<T> {
  const deadlineMs = performance.now() + 30_000
  for (;;) {
    try {
      return await hold()
    } catch (failure) {
      if (performance.now() > deadlineMs) throw failure
    }
    await sleep(50)
  }
}

const ping = (address = '10.20.1.12') => inGuest('h1', `ping -c 1 -W 1 ${address} 2>&1`)
const reach = () => eventually(async () => expect(await ping()).toContain(' 0% packet loss'))

function statusOf(host: Host): KeeperStatus {
  return JSON.parse(readFileSync(`/proc/${pids[host]}/root/run/holdfast/ovs/status.json`, 'utf8')) as KeeperStatus
}

/** The keeper's word, once it has all that it wants. */
const settled = (host: Host) =>
  eventually(() => {
    const status = statusOf(host)
    expect(status).toMatchObject({ problem: null, active: expect.anything() as object })
    if (status.active!.base.datapath === 'userspace') expect(status.ready).toBe(true)
    return status
  })

/** Sends a packet each millisecond from guest to guest while something happens. */
async function whileSending(count: number, act: () => Promise<unknown>): Promise<{ lost: number; repeated: number }> {
  const receiver = enter('h2', `exec ip netns exec guest ${programsDirectory}/node ${programsDirectory}/numbered-packets.mjs receive`)
  const lines = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]()
  expect((await lines.next()).value).toBe('ready')
  const sent = inGuest('h1', `${programsDirectory}/node ${programsDirectory}/numbered-packets.mjs send 10.20.1.12 ${count}`)
  await sleep(200)
  await act()
  await sent
  await sleep(300)
  receiver.stdin.end()
  const { received, repeated } = JSON.parse((await lines.next()).value as string) as { received: number; repeated: number }
  return { lost: count - received, repeated }
}

describe('the virtual switch of a host', () => {
  let one: InHost | undefined
  let other: InHost | undefined
  const converged = async (tunnel: 'vxlan' | 'gre') => {
    one ??= new InHost('h1')
    other ??= new InHost('h2')
    await Promise.all([one.do('converge', desiredOf('h1', tunnel)), other.do('converge', desiredOf('h2', tunnel))])
    return one
  }
  const end = () => {
    for (const running of [one, other]) running?.[Symbol.dispose]()
    one = undefined
    other = undefined
  }
  afterEach(end)

  test('says what is wrong with a flow, and goes on with those it had', async () => {
    const h1 = await converged('vxlan')
    const bad: Flow = { table: 0, priority: 1, cookie: '0x1', match: 'ip', actions: 'nonsense' }
    await expect(h1.do('converge', desiredOf('h1', 'vxlan', [bad]))).rejects.toThrow('nonsense')
    await reach()
    expect(await h1.do('repair')).toBeNull()
  })

  test('joins guests of two hosts over VXLAN and over GRE', async () => {
    for (const tunnel of ['vxlan', 'gre'] as const) {
      const h1 = await converged(tunnel)
      await reach()
      expect(await h1.do('converge', desiredOf('h1', tunnel))).toEqual({ flowsChanged: 0, problems: [] } satisfies Converged)
    }
  })

  test('keeps guests from the host itself, which sees their packets too', async () => {
    await converged('vxlan')
    await inGuest('h1', `ip route replace ${lab.hosts[0]!.addresses.mgmt} dev eth0`)
    expect(await ping(lab.hosts[0]!.addresses.mgmt)).toContain('100% packet loss')
    expect(await inGuest('h1', 'ip neigh')).not.toMatch(new RegExp(`${lab.hosts[0]!.addresses.mgmt} .*lladdr`))
  })

  test('is adopted with all its flows by the next VirtualSwitch: no packet lost, and a change touches one flow', { retry: 2 }, async () => {
    await converged('vxlan')
    await reach()
    await settled('h1')
    end()
    const more: Flow = { table: 7, priority: 7, cookie: '0x7', match: 'ip,nw_dst=10.7.0.0/16', actions: 'drop' }
    const result = await whileSending(1500, async () => {
      using next = new InHost('h1')
      expect(await next.do('converge', desiredOf('h1', 'vxlan'))).toEqual({ flowsChanged: 0, problems: [] } satisfies Converged)
      expect(await next.do('converge', desiredOf('h1', 'vxlan', [more]))).toEqual({ flowsChanged: 1, problems: [] } satisfies Converged)
    })
    expect(result).toEqual({ lost: 0, repeated: 0 })
  })

  test('what others have altered is named and put right', async () => {
    const h1 = await converged('vxlan')
    await reach()
    expect(await h1.do('repair')).toBeNull()
    const { active } = await settled('h1')
    const at = `unix:/run/holdfast/ovs/${active!.number}`
    await inside(
      'h1',
      [
        `ovs-ofctl -O OpenFlow15 --strict del-flows ${at}/br-int.mgmt priority=20,in_port=1,tun_id=100`,
        `ovs-ofctl -O OpenFlow15 add-flow ${at}/br-int.mgmt priority=10,cookie=0x10,in_port=300,actions=drop`,
        `ovs-ofctl -O OpenFlow15 add-flow ${at}/br-int.mgmt table=9,cookie=0x99,actions=drop`,
        `ovs-vsctl --db=${at}/db.sock del-port guest0`,
      ].join('\n'),
    )
    expect(await ping()).toContain('100% packet loss')
    const drift = (await h1.do<Drift | null>('repair'))!
    expect([drift.missing, drift.altered.map(({ wanted }) => wanted), drift.extra].map((flows) => flows.map((flow) => flow.cookie))).toEqual([
      ['0x20'],
      ['0x10'],
      ['0x99'],
    ])
    expect(drift.ports).toEqual([{ device: 'guest0', number: 300 }])
    await reach()
    expect(await h1.do('repair')).toBeNull()
  })

  test('a guest’s device that was made anew is taken again', async () => {
    const h1 = await converged('vxlan')
    await inside('h1', 'ip link delete guest0; ip link add guest0 type veth peer name eth0 netns guest; ip netns exec guest ethtool -K eth0 tx off')
    await inside('h1', 'ip link set guest0 up mtu 1450; ip -n guest link set eth0 address 02:00:00:00:00:01 mtu 1450 up')
    await inside('h1', 'ip -n guest addr add 10.20.1.11/24 dev eth0; ip -n guest neigh add 10.20.1.1 lladdr 02:aa:00:00:00:01 dev eth0')
    await inside('h1', 'ip -n guest route add default via 10.20.1.1')
    await h1.do('repair')
    await reach()
  })

  for (const [signal, reason] of [
    ['KILL', 'killed'],
    ['STOP', 'hung'],
  ] as const) {
    test(`forwards again by itself after ovs-vswitchd was sent SIG${signal}, and no packet twice`, async () => {
      await converged('vxlan')
      const { active } = await settled('h1')
      await reach()
      end()
      const { repeated } = await whileSending(1500, () => inside('h1', `kill -${signal} ${active!.vswitchd.pid}`))
      expect(repeated).toBe(0)
      await reach()
      const status = await settled('h1')
      expect(status.lastTakeover).toMatchObject({ reason, way: active!.base.datapath === 'kernel' ? 'restart' : 'standby' })
      expect(status.active!.number).toBeGreaterThan(active!.number)
      expect(await inside('h1', `test -e /proc/${active!.vswitchd.pid} || echo gone`)).toBe('gone\n')
    })
  }

  test('switches over when asked, and the next VirtualSwitch finds all in place, also after the keeper was killed', async () => {
    const h1 = await converged('vxlan')
    await settled('h1')
    expect(await h1.do<Takeover>('failover')).toMatchObject({ reason: 'asked', connectionsCut: 0 })
    await reach()
    const { keeper } = await settled('h1')
    await inside('h1', `kill -9 ${keeper.pid}`)
    const after = await eventually(async () => {
      // What was killed still counts as running for a moment; whoever owns the switch looks again, so this does, too.
      expect(await h1.do('converge', desiredOf('h1', 'vxlan'))).toEqual({ flowsChanged: 0, problems: [] } satisfies Converged)
      const status = await settled('h1')
      expect(status.keeper.pid).not.toBe(keeper.pid)
      return status
    })
    await inside('h1', `kill -9 ${after.active!.vswitchd.pid}`)
    await eventually(() => expect(statusOf('h1').lastTakeover).toMatchObject({ reason: 'killed' }))
    await reach()
  })

  test('answers packets that earn an ICMP error, without the module', async () => {
    await converged('vxlan')
    end()
    await eventually(async () => expect(await ping('10.9.0.1')).toMatch(/Destination (Net|Host) Unreachable/))
  })

  test('is removed without leaving anything', async () => {
    const h1 = await converged('vxlan')
    await settled('h1')
    // As a trace leaves it for the next one.
    await inside('h1', 'ip link add hf-mirror0 type veth peer name hf-mirror1')
    await h1.do('remove')
    end()
    await eventually(async () => expect(await inside('h1', 'ps ax | grep -E "[o]vs-|[o]vsdb-|[k]eeper.mjs"')).toBe(''))
    expect(existsSync(`/proc/${pids.h1}/root/run/holdfast/ovs`)).toBe(false)
    expect(await inside('h1', 'ls /run/holdfast')).toBe('')
    const links = await inside('h1', 'ip -o link')
    expect(links).toContain('guest0')
    expect(links).not.toMatch(/hf-icmp|hf-mirror|br-int|br-phy|ovs-|tenant.*PROMISC/)
  })
})
