import type { SyncFrame } from '../core/contract/agent/index.ts'
import { planes } from '../core/model/common.ts'
import type { Dial, ModuleLink } from '../src-main/agents/module-link.ts'
import { pause } from '../src-main/agents/wait.ts'

type Items = Extract<SyncFrame, { type: 'snapshot' }>['items']

const idleMs = 800
/** Hosts that run a member of the store and so report all hosts. */
const voters = 3
/** Each host is watched by as many peers a plane above eight hosts. */
const watched = 5

export interface Shape {
  hosts: number
  nics: number
  disks: number
}

const hex = (value: number, bytes: number) =>
  Array.from({ length: bytes }, (_, at) => ((value >>> (8 * (bytes - 1 - at))) & 255).toString(16).padStart(2, '0')).join(':')
const nameOf = (host: number) => `host-${String(host).padStart(4, '0')}`
const mgmtOf = (host: number) => `10.${200 + (host >> 16)}.${(host >> 8) & 255}.${host & 255}`

/**
 * Agents of many hosts behind the interface that real ones are reached by, without sockets between. Documents are made when they are
 * asked for, so that what is measured is the laptop's program and not its stand-in.
 */
export class SimulatedAgents {
  readonly shape: Shape
  /** While true, each monitor reports a change of one NIC as fast as it is read. */
  changing = false

  constructor(shape: Shape) {
    this.shape = shape
  }

  /** Where the first agent answers. */
  readonly endpoint = `${mgmtOf(0)}:7443`

  readonly dial: Dial = ({ endpoint, module }) => {
    const [, , third = '0', fourth = '0'] = endpoint.split(':')[0]!.split('.')
    return Promise.resolve(this.#link(Number(third) * 256 + Number(fourth), module))
  }

  #link(host: number, module: string): ModuleLink {
    const frames = (from: { rev: number } | undefined, signal: AbortSignal) => this.#frames(host, module, from, signal)
    return {
      host: nameOf(host),
      watch: frames,
      async *samples(_sinceMs, signal) {
        await pause(2 ** 30, signal)
      },
      [Symbol.dispose]: () => {},
    }
  }

  async *#frames(host: number, module: string, from: { rev: number } | undefined, signal: AbortSignal): AsyncGenerator<SyncFrame, void, undefined> {
    const epoch = 'simulated'
    let rev = from?.rev ?? 1
    if (!from) yield { type: 'snapshot', epoch, rev, nowMs: Date.now(), items: this.#items(host, module) }
    while (!signal.aborted) {
      if (this.changing && module === 'monitor') {
        const nic = this.#nic(host, rev % this.shape.nics, rev)
        yield { type: 'delta', epoch, rev: ++rev, nowMs: Date.now(), puts: [nic], dels: [] }
      } else {
        await pause(idleMs, signal)
        yield { type: 'idle', epoch, rev, nowMs: Date.now() }
      }
    }
  }

  #items(host: number, module: string): Items {
    const { nics, disks } = this.shape
    const name = nameOf(host)
    if (module === 'monitor') {
      return [
        {
          kind: 'facts',
          id: name,
          atMs: 1,
          doc: {
            host: name,
            os: { name: 'Debian', version: '12', kernel: '6.1.0' },
            cpu: { model: 'EPYC 9354', cores: 64 },
            memoryBytes: 2 ** 39,
            bootedAtMs: 1,
            packages: {},
          },
        },
        ...Array.from({ length: nics }, (_, nic) => this.#nic(host, nic, 0)),
        ...Array.from({ length: disks }, (_, disk) => this.#disk(host, disk)),
      ]
    }
    if (module === 'supervisor') {
      return ['supervisor', 'cluster', 'monitor'].map((part, index) => ({
        kind: 'module',
        id: `${name}/${part}`,
        atMs: 1,
        doc: { host: name, name: part, version: '0.1.0', state: 'running', pid: 100 + index, startedAtMs: 1, restarts: 0 },
      }))
    }
    const known = host < voters ? Array.from({ length: this.shape.hosts }, (_, other) => other) : [host]
    return [
      {
        kind: 'cluster',
        id: 'cluster',
        atMs: 1,
        doc: { id: 'c', name: 'simulated', leader: nameOf(0), leaderEpoch: 1, quorum: true, elections: 1, raftElections: 1 },
      },
      ...known.map((other) => ({
        kind: 'host',
        id: nameOf(other),
        atMs: 1,
        doc: { name: nameOf(other), addresses: { mgmt: mgmtOf(other) }, role: other < voters ? 'voter' : 'client', joinedAtMs: 1 },
      })),
      ...Array.from({ length: watched }, (_, peer) => nameOf((host + peer + 1) % this.shape.hosts)).flatMap((to) =>
        planes.map((plane) => ({
          kind: 'path',
          id: `${name}/${to}/${plane}`,
          atMs: 1,
          doc: { from: name, to, plane, state: 'up', sinceMs: 1, lost: 0, replayed: 0, forged: 0 },
        })),
      ),
    ]
  }

  #nic(host: number, nic: number, version: number): Items[number] {
    const address = host * this.shape.nics + nic
    const doc = {
      host: nameOf(host),
      name: `eth${nic}`,
      mac: `02:00:${hex(address, 4)}`,
      addresses: [`172.16.${(address >> 8) & 255}.${address & 255}`],
      state: version % 2 === 0 ? 'up' : 'down',
      mtuBytes: 1500,
      changes: version,
    }
    return { kind: 'nic', id: `${doc.host}/${doc.name}`, atMs: 1 + version, doc }
  }

  #disk(host: number, disk: number): Items[number] {
    const serial = `S${(host * this.shape.disks + disk).toString(36).toUpperCase().padStart(6, '0')}`
    const doc = { host: nameOf(host), name: `nvme${disk}n1`, sizeBytes: 3.84e12, model: 'SAMSUNG MZQL23T8', serial, rotational: false, health: 'ok' }
    return { kind: 'disk', id: `${doc.host}/${doc.name}`, atMs: 1, doc }
  }
}
