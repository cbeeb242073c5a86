import { HoldfastError } from '../../errors.ts'
import type { TraceDrop, TraceRequest, TraceResult } from '../../model/trace.ts'
import type { End } from '../packet/compose.ts'
import { parseFrame } from '../packet/parse.ts'
import { hintOf } from './hints.ts'
import { HopList } from './hops.ts'
import { asksForAnswer } from './guest-system.ts'
import { describe, frameBetween, givenFrame, simulatedMarks, type Marks } from './packets.ts'
import { passWire, type Stop } from './underlay.ts'
import type { HostState, World } from './world.ts'

const prefix = 'host:'

/** Whether a host itself is to send, not one of its guests. */
export function isHostSender({ from }: TraceRequest): boolean {
  return from.startsWith(prefix)
}

interface KnownHost {
  name: string
  state: HostState
  end: End
}

/** A packet from a host itself to another, on the plane that carries tunnels: over NICs, cables and switches, and no flows. */
export function traceFromHost(
  world: World,
  request: TraceRequest,
  marks: Marks = simulatedMarks,
  payload?: Uint8Array,
): { path: TraceResult; frame: Uint8Array | null; runs: readonly [] } {
  const from = hostNamed(world, request.from.slice(prefix.length))
  const given = givenFrame(request)
  const to = request.to.startsWith(prefix) ? hostNamed(world, request.to.slice(prefix.length)) : hostAt(world, given?.to ?? request.to)
  const source = { mac: request.sourceMac ?? from.end.mac, ip: request.sourceIp ?? from.end.ip }
  const frame = given?.frame ?? frameBetween(request, source, to.end, marks, payload)
  const packet = parseFrame(frame)!
  const what = describe(packet)
  const hops = new HopList()
  const result = (drop: TraceDrop | null): TraceResult => ({
    ...{ verdict: drop ? 'dropped' : 'delivered', mode: 'simulated', hops: hops.hops, drop, limit: null, rttMs: null },
  })
  const end = (stop: Stop): TraceResult => result({ ...stop, hint: hintOf({ ...stop, packet: what }) })
  const nothing: readonly [] = []
  if (from.state.state === 'down')
    return { path: end({ host: from.name, device: nicOf(from), reason: 'host-down', object: `host/${from.name}` }), frame: null, runs: nothing }
  const bytes = frame.length - 14
  const there = passWire(world, { from: from.name, to: to.name, bytes, inside: 'host' }, hops)
  if (there) return { path: end(there), frame, runs: nothing }
  if (!asksForAnswer(packet)) return { path: result(null), frame, runs: nothing }
  hops.leg = 'return'
  const back = passWire(world, { from: to.name, to: from.name, bytes, inside: 'host' }, hops)
  return { path: back ? end(back) : result(null), frame, runs: nothing }
}

/** The NIC by which a host sends tunnels. */
function nicOf({ state }: KnownHost): string {
  return state.nic?.name ?? 'tenant'
}

function hostNamed(world: World, name: string): KnownHost {
  const state = world.hosts.get(name)
  const ip = world.index.input.hosts.get(name)?.ip
  if (state && ip !== undefined) return { name, state, end: { mac: state.nic?.mac || '00:00:00:00:00:00', ip } }
  throw new HoldfastError('not-found', `There is no host ${name}`, 'See: holdfast status.', { host: name })
}

function hostAt(world: World, ip: string): KnownHost {
  for (const [name, end] of world.index.input.hosts) if (end.ip === ip) return hostNamed(world, name)
  throw new HoldfastError(
    'not-found',
    `No host has the address ${ip} on the plane that carries tunnels`,
    'Name a host as host:NAME, or give its address on that plane.',
    { to: ip },
  )
}
