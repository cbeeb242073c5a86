import { join } from 'node:path'
import { bridgeOf, interfacesOf, ipBatch } from './network.ts'
import { addedNic, planeMtuBytes, switchNames, type NicPlan, type PortPlan, type SwitchName } from './plan.ts'
import { capture, run } from './run.ts'
import { labDir, planOf, switchPids, type LabState } from './state.ts'

const source = join(import.meta.dirname, 'machine/vlan.bpf.c')

/** `untag` and `tag` of `vlan.bpf.c`, compiled. */
function objectPath(lab: string): string {
  return join(labDir(lab), 'vlan.bpf.o')
}

/** Compiles it, once for a lab. Needs clang. */
async function compileTagging(lab: string): Promise<void> {
  if ((await capture(['test', '-e', objectPath(lab)])).code === 0) return
  await run(['clang', '-O2', '-target', 'bpf', '-mcpu=v3', '-Wall', '-Werror', '-c', source, '-o', objectPath(lab)])
}

/** Has both switches know a VLAN: a bridge of its own on each, joined to every port that carries tags. Nothing to do where they do. */
export async function makeVlan(state: LabState, vlan: number): Promise<void> {
  if (state.vlans.includes(vlan)) return
  await compileTagging(state.name)
  const plan = planOf(state)
  const bridge = bridgeOf(`vlan${vlan}`)
  const pids = switchPids(state)
  const added = Object.values(state.added).map((one) => addedNic(state.slot, one))
  for (const name of switchNames) {
    // A command that was killed on its way left it without ports.
    await ipBatch(pids[name], [`link delete dev ${bridge}`], { force: true })
    await ipBatch(pids[name], [
      `link add name ${bridge} address ${plan.switches[name].mac} type bridge stp_state 0 mcast_snooping 0`,
      `link set dev ${bridge} addrgenmode none up`,
    ])
    const nics = plan.hosts.map((host) => host.nics.tenant).filter(({ switchName }) => switchName === name)
    await joinVlans(state, name, [...nics, plan.trunk.tenant[name]], [vlan])
    await dropTags(state, name, added.filter(({ switchName }) => switchName === name)) // prettier-ignore
  }
  state.vlans.push(vlan)
}

/** Has the ports of NICs that were just plugged in send tagged frames to their VLANs: those of hosts on the tenant plane carry all, those of added machines none. */
export async function takeTags(state: LabState, nics: readonly NicPlan[], carriesVlans: boolean): Promise<void> {
  if (state.vlans.length === 0) return
  for (const nic of nics) {
    if (!carriesVlans) await dropTags(state, nic.switchName, [nic])
    else if (nic.segment === 'tenant') await joinVlans(state, nic.switchName, [nic], state.vlans)
  }
}

/**
 * Joins ports of a switch to VLANs by pairs of devices, see `vlan.bpf.c`. A port that is gone, because its machine ended by itself, is left
 * out until it boots. The inner device goes down with the port, and what was learned there is forgotten.
 */
async function joinVlans(state: LabState, name: SwitchName, ports: readonly PortPlan[], vlans: readonly number[]): Promise<void> {
  const pid = switchPids(state)[name]
  const interfaces = await interfacesOf(pid)
  const pairs = ports.flatMap(({ number, port }) => {
    const index = interfaces.get(port)
    return index === undefined
      ? []
      : vlans.map((vlan) => ({ number, vlan, outer: `tag${vlan}-${number}`, inner: `vlan${vlan}-${number}`, index: index * 4096 + vlan }))
  })
  const mtu = planeMtuBytes.tenant
  await ipBatch(pid, pairs.map(({ outer }) => `link delete dev ${outer}`), { force: true }) // prettier-ignore
  await ipBatch(
    pid,
    pairs.flatMap(({ number, vlan, outer, inner, index }) => [
      `link add name ${outer} index ${index} mtu ${mtu} type veth peer name ${inner} mtu ${mtu} group ${number}`,
      `link set dev ${outer} addrgenmode none up`,
      `link set dev ${inner} addrgenmode none`,
      `link set dev ${inner} master ${bridgeOf(`vlan${vlan}`)} up`,
    ]),
  )
  await attach(state, name, 'tag', pairs.map(({ outer }) => outer)) // prettier-ignore
  await dropTags(state, name, ports)
}

/** Has ports of a switch, where they are there, drop frames with a tag of a VLAN that they have not been joined to. */
async function dropTags(state: LabState, name: SwitchName, ports: readonly PortPlan[]): Promise<void> {
  const interfaces = await interfacesOf(switchPids(state)[name])
  await attach(state, name, 'untag', ports.map(({ port }) => port).filter((port) => interfaces.has(port))) // prettier-ignore
}

async function attach(state: LabState, name: SwitchName, program: 'tag' | 'untag', devices: readonly string[]): Promise<void> {
  const lines = devices.flatMap((device) => [
    `qdisc replace dev ${device} clsact`,
    `filter replace dev ${device} ingress prio 1 handle 1 bpf direct-action object-file ${objectPath(state.name)} section tc/${program}`,
  ])
  await run(['nsenter', '--target', String(switchPids(state)[name]), '--net', 'tc', '-batch', '-'], { input: `${lines.join('\n')}\n` })
}
