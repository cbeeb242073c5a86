import { parse, stringify } from 'yaml'
import type { BroadcastStatus, BroadcastWatcher, NetworkBroadcast } from '../../../core/contract/desktop/broadcast.ts'
import { HoldfastError } from '../../../core/errors.ts'
import { broadcastModes, emptyVirtualNetwork, type BroadcastMode, type Network } from '../../../core/model/network.ts'
import { exportDeclaration } from '../../../core/net/declaration/export.ts'
import { flag } from '../options.ts'
import { table } from '../output.ts'
import { UsageError } from '../parse.ts'
import { withServices } from '../services.ts'
import type { Call } from '../table.ts'
import { seenText } from './inventory.ts'
import { applyDeclaration } from './network.ts'

/** `broadcast status`. */
export async function status(call: Call): Promise<void> {
  await withServices(call, async ({ desktop }) => {
    const answer = await desktop.broadcast.status({ offline: flag(call, 'offline') })
    call.out.answer(answer, () => statusText(answer))
  })
}

/** `broadcast members NETWORK`. */
export async function members(call: Call): Promise<void> {
  const network = call.args[0] ?? ''
  await withServices(call, async ({ desktop }) => {
    const { networks, asOf, ageMs } = await desktop.broadcast.status({ offline: flag(call, 'offline') })
    const found = networks.find(({ name }) => name === network) ?? notFound(network)
    const { name, vni, mode, node, members: hosts } = found
    const rows = hosts.map((member) => [member.host, member.ip, member.ports, member.nodes.join(' ')])
    call.out.answer({ name, vni, mode, node, members: hosts }, () =>
      [
        `${name} (VNI ${vni}): ${mode}${node === null ? '' : `, by ${node}`}`,
        rows.length === 0 ? 'No host has a port in it.' : table(['HOST', 'IP', 'PORTS', 'KNOWN TO'], rows),
        seenText({ asOf, ageMs }),
      ].join('\n'),
    )
  })
}

/** `broadcast set NETWORK MODE`: 1 when a host does not have it in place in time. */
export async function set(call: Call): Promise<number> {
  const [network = '', mode = ''] = call.args
  if (!isMode(mode)) throw new UsageError(`There is no mode ${JSON.stringify(mode)}`, `Modes are ${broadcastModes.join(', ')}.`)
  return await withServices(call, async ({ desktop }) => {
    const known = await desktop.network.get()
    const found = known.network.networks.find(({ name }) => name === network) ?? notFound(network)
    const from = known.offline ? {} : { revision: known.revision }
    return await applyDeclaration(call, desktop, { declaration: withMode(found, mode), prune: false, ...from })
  })
}

const isMode = (text: string): text is BroadcastMode => (broadcastModes as readonly string[]).includes(text)

function notFound(network: string): never {
  throw new HoldfastError('not-found', `There is no network ${network}`, 'See: holdfast inventory list networks.', { network })
}

/** A declaration of that one network in another mode. */
function withMode(network: Network, mode: BroadcastMode): string {
  const exported = parse(exportDeclaration({ ...emptyVirtualNetwork, networks: [network] })) as { networks: [Record<string, unknown>] }
  return stringify({ networks: [{ ...exported.networks[0], broadcast: mode }] })
}

const ways = { xdp: 'in the NIC’s driver', tc: 'in the kernel', packet: 'by the agent, slower' }

function statusText({ clusterAddress, epoch, nodes, hosts, networks, asOf, ageMs }: BroadcastStatus): string {
  const lines = [
    clusterAddress === null
      ? 'No host is a node of the broadcast cluster.'
      : `Broadcast cluster at ${clusterAddress.ip}: ${clusterAddress.heldBy.length === 0 ? 'nobody is known to have it' : `${clusterAddress.heldBy.join(' and ')} ${clusterAddress.heldBy.length === 1 ? 'has' : 'have'} it`}.`,
  ]
  if (epoch !== null) lines.push(`The set of its nodes is of epoch ${epoch}.`)
  if (nodes.length > 0) {
    lines.push(
      table(
        ['NODE', 'STATE', 'REPLICATES', 'REPLICATOR', 'COPIES/S', 'MEMBER LISTS WRITTEN', 'DROPPED'],
        nodes.map(({ host, state, way, replicator, copiesPerSecond, membershipWrites, dropped }) => [
          ...[host, state, way === null ? null : ways[way], replicator],
          ...[Math.round(copiesPerSecond), membershipWrites, droppedText(dropped)],
        ]),
      ),
    )
  }
  for (const { host, problems } of nodes) lines.push(...problems.map((problem) => `${host}: ${problem}`))
  for (const { host, notFasterBecause } of nodes) if (notFasterBecause !== null) lines.push(`${host} does not use XDP: ${notFasterBecause}.`)
  lines.push(networks.length === 0 ? 'No networks.' : table(networkHeading, networks.map(networkRow)))
  if (hosts.some(({ watches }) => watches.length > 0)) lines.push(watchersText(hosts))
  lines.push(seenText({ asOf, ageMs }))
  return lines.join('\n')
}

const networkHeading = ['NETWORK', 'MODE', 'NODE', 'MEMBERS', 'FRAMES', 'COPIES', 'COPIES/S', 'NOT SENT', 'DROPPED']

function networkRow({ name, mode, node, members: hosts, frames, copies, copiesPerSecond, failed, dropped }: NetworkBroadcast) {
  return [name, mode, node, hosts.length, frames, copies, Math.round(copiesPerSecond), failed, droppedText(dropped)]
}

/** Of each host which nodes and gateways it sees live, how often each fell silent, and how many flows it had to change for members. */
function watchersText(hosts: readonly BroadcastWatcher[]): string {
  const columnOf = ({ host, as }: BroadcastWatcher['watches'][number]): string => `SEES ${host}${as === 'gateway' ? ' AS GATEWAY' : ''}`
  const columns = [...new Set(hosts.flatMap(({ watches }) => watches.map(columnOf)))]
  return table(
    ['HOST', ...columns, 'FLOWS CHANGED'],
    hosts.map(({ host, watches, flowsChanged }) => {
      const seen = columns.map((column) => watches.find((watch) => columnOf(watch) === column))
      return [host, ...seen.map((watch) => (watch ? watchText(watch) : null)), flowsChanged]
    }),
  )
}

/** `up`, `down, 2 flaps`. */
function watchText({ state, flaps }: BroadcastWatcher['watches'][number]): string {
  return flaps === 0 ? state : `${state}, ${flaps} ${flaps === 1 ? 'flap' : 'flaps'}`
}

/** `storm 12, loop 3`, the most first. */
function droppedText(dropped: Readonly<Record<string, number>>): string {
  const found = Object.entries(dropped).filter(([, count]) => count > 0)
  return found
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${reason} ${count}`)
    .join(', ')
}
