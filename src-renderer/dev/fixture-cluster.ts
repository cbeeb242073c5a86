/**
 * TEST DOUBLE. A made-up cluster of three hosts and two switches that moves by itself, for the window's own tests and screenshots.
 * Nothing of it is shipped. What a real cluster looks like is proven by `e2e/` on the lab's hosts.
 */
import type { FeedFrame, SearchHit } from '../../core/contract/desktop/inventory.ts'
import type { Audit, EntityDocs, EntityKind, LiveState, Plane, Task } from '../../core/model/index.ts'
import { planes } from '../../core/model/common.ts'
import { noise } from './fixture-samples.ts'

export type Item = Extract<FeedFrame, { type: 'snapshot' }>['items'][number]
type Put = { kind: string; id: string; atMs: number; doc: object; reporter?: string }

/** What can be wrong with it. */
export interface Faults {
  /** Hosts without power. */
  off: string[]
  /** Links cut, as `host/plane`. */
  cut: string[]
  /** Whether the laptop has no network. */
  offline: boolean
  /** How long it has been offline at the start, in ms. */
  offlineForMs: number
  empty: boolean
  /** How many hosts. */
  hosts: number
}

export const noFaults: Faults = { off: [], cut: [], offline: false, offlineForMs: 0, empty: false, hosts: 3 }

const switchOf: Record<Plane, string> = { mgmt: 'tor1', storage: 'tor2', tenant: 'tor1' }
const version = '0.1.0-9f3c21ab'

function detailOf(kind: string, doc: Record<string, unknown>): string {
  const of = (...keys: string[]): string =>
    keys
      .map((key) => String(doc[key] ?? ''))
      .join(' ')
      .trim()
  switch (kind) {
    case 'nic':
      return (doc.addresses as string[]).join(' ')
    case 'disk':
      return of('model')
    case 'facts':
      return (doc.os as { name: string }).name
    case 'port':
      return of('ip', 'network', 'host')
    case 'vip':
      return of('ip', 'network')
    case 'network':
      return of('vpc', 'subnet')
    case 'acl':
      return of('action', 'network', 'port')
    default:
      return ''
  }
}

export class FixtureCluster {
  faults: Faults
  readonly startedAtMs = Date.now()
  #items = new Map<string, Item>()
  #changed = new Map<string, Item>()
  #removed: { reporter: string; kind: string; id: string }[] = []
  #listeners = new Set<(frame: FeedFrame) => void>()
  #rev = 1
  #numbers = new Map<string, number>()
  #seen = new Map<string, number>()
  audit: Audit[] = []

  constructor(faults: Faults) {
    this.faults = faults
    if (!faults.empty) this.#build()
    this.#changed.clear()
  }

  hostNames(): string[] {
    return this.faults.empty ? [] : Array.from({ length: this.faults.hosts }, (_, i) => `h${i + 1}`)
  }

  isUp = (host: string): boolean => !this.faults.off.includes(host)
  hears(from: string, to: string, plane: Plane): LiveState {
    const cut = (host: string): boolean => this.faults.cut.includes(`${host}/${plane}`)
    return this.isUp(to) && !cut(to) && !cut(from) ? 'up' : 'down'
  }

  get leader(): string | null {
    return this.hostNames().find((host) => this.isUp(host)) ?? null
  }

  put(item: Put): void {
    const full: Item = { ...item, doc: { ...item.doc }, reporter: item.reporter ?? item.id.split('/')[0]! }
    const key = `${full.reporter} ${full.kind}/${full.id}`
    this.#items.set(key, full)
    this.#changed.set(key, full)
  }

  del(kind: string, id: string): void {
    for (const [key, item] of this.#items) {
      if (item.kind !== kind || item.id !== id) continue
      this.#items.delete(key)
      this.#changed.delete(key)
      this.#removed.push({ reporter: item.reporter, kind, id })
    }
  }

  items(kind: string): Item[] {
    return [...this.#items.values()].filter((item) => item.kind === kind)
  }

  snapshot(): FeedFrame {
    return { type: 'snapshot', rev: this.#rev, nowMs: Date.now(), items: [...this.#items.values()], sources: this.sources() }
  }

  subscribe(listener: (frame: FeedFrame) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  sources(): { host: string; module: string; connected: boolean; seenAtMs: number | null }[] {
    const now = Date.now()
    return this.hostNames().flatMap((host) => {
      const live = this.isUp(host) && !this.faults.offline
      if (live) this.#seen.set(host, now)
      const seenAtMs = this.#seen.get(host) ?? this.startedAtMs - (this.faults.offline ? this.faults.offlineForMs : 192_000)
      return ['supervisor', 'cluster', 'monitor', 'network'].map((module) => ({ host, module, connected: live, seenAtMs }))
    })
  }

  /** Sends what changed to every reader. Called once a second. */
  tick(): void {
    if (!this.faults.empty && !this.faults.offline) this.#observe()
    const frame: FeedFrame = {
      type: 'delta',
      rev: ++this.#rev,
      nowMs: Date.now(),
      puts: [...this.#changed.values()],
      dels: this.#removed,
      sources: this.sources(),
    }
    this.#changed.clear()
    this.#removed = []
    for (const listener of this.#listeners) listener(frame)
  }

  event(
    origin: string,
    severity: 'info' | 'warning' | 'error',
    type: string,
    message: string,
    about: string[],
    data: Record<string, unknown> = {},
    atMs = Date.now(),
  ): void {
    const number = (this.#numbers.get(origin) ?? 0) + 1
    this.#numbers.set(origin, number)
    this.put({ kind: 'event', id: `${origin}/${number}`, atMs, doc: { origin, atMs, severity, type, message, about, data } })
  }

  setFaults(change: Partial<Faults>): void {
    const before = this.faults
    this.faults = { ...before, ...change }
    for (const host of this.faults.off)
      if (!before.off.includes(host))
        this.event('h3', 'error', 'path-down', `${host} is not heard on any plane by h2`, [`host/${host}`], {
          culprit: host,
          planes: [...planes],
          by: 'h2',
        })
    for (const cut of this.faults.cut) {
      if (before.cut.includes(cut)) continue
      const [host, plane] = cut.split('/') as [string, Plane]
      this.event('h3', 'warning', 'path-down', `${host} is not heard on ${plane}; it is on mgmt`, [`host/${host}`, `path/h3/${host}/${plane}`], {
        culprit: host,
        planes: [plane],
        by: 'h3',
      })
    }
  }

  search(query: string, limit: number): SearchHit[] {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean)
    return [...this.#items.values()]
      .map((item) => {
        const doc = item.doc as Record<string, unknown>
        const text = `${item.kind} ${item.id} ${JSON.stringify(doc)}`.toLowerCase()
        const title = item.kind === 'event' ? String(doc.message) : item.id
        return {
          hit: { kind: item.kind, id: item.id, title, detail: detailOf(item.kind, doc) },
          matches: words.every((word) => text.includes(word)),
          exact: item.id === query,
        }
      })
      .filter(({ matches, hit }) => matches && !['overlay', 'forwarding', 'vipState', 'broadcastNode', 'broadcastHost'].includes(hit.kind))
      .sort((a, b) => Number(b.exact) - Number(a.exact) || a.hit.kind.localeCompare(b.hit.kind))
      .slice(0, limit)
      .map(({ hit }) => hit)
  }

  addHost(name: string, addresses: { mgmt: string; storage?: string | undefined; tenant?: string | undefined }): void {
    this.faults = { ...this.faults, empty: false, hosts: Math.max(this.faults.empty ? 0 : this.faults.hosts, Number(name.slice(1)) || 1) }
    this.#buildHost(name, addresses, Date.now())
  }

  removeHost(name: string): void {
    for (const item of [...this.#items.values()])
      if (item.reporter === name || item.id === name || item.id.includes(name)) this.del(item.kind, item.id)
    this.faults = { ...this.faults, hosts: this.faults.hosts - 1 }
  }

  task(task: Task): void {
    this.put({ reporter: 'laptop', kind: 'task', id: task.id, atMs: Date.now(), doc: task })
    this.tick()
  }

  #entity<K extends EntityKind>(kind: K, id: string, doc: EntityDocs[K], reporter?: string): void {
    const key = `${reporter ?? id.split('/')[0]} ${kind}/${id}`
    const old = this.#items.get(key)
    if (old && JSON.stringify(old.doc) === JSON.stringify(doc)) return
    this.put({ kind, id, atMs: Date.now(), doc, ...(reporter && { reporter }) })
  }

  #buildHost(host: string, addresses: { mgmt: string; storage?: string | undefined; tenant?: string | undefined }, joinedAtMs: number): void {
    const n = Number(host.slice(1)) || 9
    const bootedAtMs = joinedAtMs - 60_000
    this.#entity('host', host, { name: host, addresses, role: n <= 3 ? 'voter' : 'client', joinedAtMs }, 'h1')
    this.#entity('facts', host, {
      host,
      os: { name: 'Debian GNU/Linux', version: '12.11', kernel: '6.1.0-37-amd64' },
      cpu: { model: 'AMD EPYC 7313P 16-Core Processor', cores: 32 },
      memoryBytes: 64 * 2 ** 30,
      bootedAtMs,
      packages: { 'etcd-server': '3.4.23', 'lldpd': '1.0.16', 'qemu-system-x86': '7.2+dfsg-7', 'openvswitch-switch': '3.1.0-2' },
    })
    for (const [i, plane] of planes.entries()) {
      const address = addresses[plane]
      this.#entity('nic', `${host}/${plane}`, {
        host,
        name: plane,
        plane,
        mac: `52:54:00:0${i}:00:${n.toString(16).padStart(2, '0')}`,
        addresses: address ? [`${address}/24`] : [],
        state: 'up',
        mtuBytes: plane === 'storage' ? 9000 : 1500,
        speedMbps: plane === 'storage' ? 25_000 : 10_000,
      })
      const port = plane === 'tenant' ? `swp${n + 24}` : `swp${n}`
      this.#entity('neighbour', `${host}/${plane}`, {
        host,
        nic: plane,
        chassisId: `0c:c4:7a:10:00:0${switchOf[plane].at(-1)}`,
        systemName: switchOf[plane],
        portId: port,
        portDescription: `${host} ${plane}`,
      })
    }
    this.#entity('disk', `${host}/sda`, {
      host,
      name: 'sda',
      sizeBytes: 480e9,
      model: 'Micron 5300 PRO',
      serial: `2041A${n}77`,
      rotational: false,
      health: 'ok',
    })
    this.#entity('disk', `${host}/nvme0n1`, {
      host,
      name: 'nvme0n1',
      sizeBytes: 3.84e12,
      model: 'Samsung PM9A3',
      serial: `S64N${n}310`,
      rotational: false,
      health: 'ok',
    })
    this.#entity('disk', `${host}/nvme1n1`, {
      host,
      name: 'nvme1n1',
      sizeBytes: 3.84e12,
      model: 'Samsung PM9A3',
      serial: `S64N${n}311`,
      rotational: false,
      health: n === 2 ? 'failing' : 'unknown',
    })
    for (const [i, name] of ['supervisor', 'cluster', 'monitor', 'network'].entries()) {
      this.#entity('module', `${host}/${name}`, {
        host,
        name,
        version,
        state: 'running',
        pid: 800 + n * 10 + i,
        startedAtMs: joinedAtMs,
        restarts: host === 'h3' && name === 'monitor' ? 1 : 0,
      })
    }
  }

  #build(): void {
    const joined = this.startedAtMs - 26 * 3_600_000
    for (const [i, host] of this.hostNames().entries()) {
      this.#buildHost(host, { mgmt: `10.77.1.${11 + i}`, storage: `10.77.2.${11 + i}`, tenant: `10.77.3.${11 + i}` }, joined + i * 94_000)
      this.event(host, 'info', 'host-joined', `${host} joined the cluster`, [`host/${host}`], {}, joined + i * 94_000)
    }
    this.#observe()
    const ago = (minutes: number): number => this.startedAtMs - minutes * 60_000
    this.event('h1', 'info', 'leader-changed', 'h1 leads the cluster (epoch 41)', ['host/h1'], { leader: 'h1', epoch: 41 }, ago(610))
    this.event(
      'h3',
      'warning',
      'module-restarted',
      'monitor on h3 ended with signal 9 and was started again',
      ['module/h3/monitor', 'host/h3'],
      { module: 'monitor' },
      ago(312),
    )
    this.event(
      'h2',
      'warning',
      'disk-failing',
      'Disk nvme1n1 of h2 fails its own health check',
      ['disk/h2/nvme1n1', 'host/h2'],
      { disk: 'nvme1n1' },
      ago(118),
    )
    this.event(
      'h1',
      'warning',
      'path-down',
      'h3 is not heard on tenant; it is on mgmt and storage',
      ['host/h3', 'path/h1/h3/tenant'],
      { culprit: 'h3', planes: ['tenant'], by: 'h1' },
      ago(64),
    )
    this.event(
      'h1',
      'info',
      'path-up',
      'h3 is heard on tenant',
      ['host/h3', 'path/h1/h3/tenant'],
      { culprit: 'h3', planes: ['tenant'], by: 'h1' },
      ago(63.9),
    )
    this.event(
      'h2',
      'warning',
      'switch-taken-over',
      'The virtual switch of h2 hung; another forwards since, after at most 268 ms',
      ['host/h2'],
      { outageMs: 268 },
      ago(420),
    )
    this.event('h1', 'info', 'cluster-ip-taken', 'h1 holds the cluster address 10.77.1.100', ['host/h1'], {}, ago(609.9))
    for (let i = 0; i < 260; i++) {
      const host = this.hostNames()[i % this.hostNames().length]!
      this.event(host, 'info', 'nic-up', `NIC tenant of ${host} has its carrier again`, [`nic/${host}/tenant`, `host/${host}`], {}, ago(700 + i * 37))
    }
    for (const cut of this.faults.cut) {
      const [host, plane] = cut.split('/') as [string, Plane]
      for (const from of this.hostNames())
        if (from !== host)
          this.event(
            from,
            'warning',
            'path-down',
            `${host} is not heard on ${plane}; it is on mgmt`,
            [`host/${host}`, `path/${from}/${host}/${plane}`],
            { culprit: host, planes: [plane], by: from },
            ago(2.1),
          )
    }
    for (const host of this.faults.off)
      this.event(
        'h2',
        'error',
        'path-down',
        `${host} is not heard on any plane by h2`,
        [`host/${host}`],
        { culprit: host, planes: [...planes], by: 'h2' },
        ago(3.2),
      )
    if (this.faults.off.includes('h1'))
      this.event(
        this.leader!,
        'warning',
        'leader-changed',
        `${this.leader} leads the cluster (epoch 42)`,
        [`host/${this.leader}`],
        { leader: this.leader, epoch: 42 },
        ago(3.16),
      )
    const actions: [string, string[], Audit['outcome']][] = [
      ['host-install', ['host/h1'], 'done'],
      ['host-install', ['host/h2'], 'failed'],
      ['host-install', ['host/h2'], 'done'],
      ['host-install', ['host/h3'], 'done'],
      ['terminal-open', ['host/h3'], 'done'],
      ['host-remove', ['host/h1'], 'refused'],
    ]
    this.audit = actions.map(([action, about, outcome], i) => ({
      number: i + 1,
      atMs: joined + i * 240_000,
      actor: 'root@laptop',
      action,
      about,
      outcome,
      detail: outcome === 'refused' ? { reason: 'h1 leads the cluster' } : {},
      previousHash: i === 0 ? '' : `${i}`.repeat(8),
      hash: `${(i + 1) * 48271}af3be09c14d2`.slice(0, 16),
    }))
  }

  /** Brings what hosts report of each other in line with the faults. */
  #observe(): void {
    const hosts = this.hostNames().filter((host) => this.#items.has(`${host} facts/${host}`))
    const live = hosts.filter(this.isUp)
    const quorum = live.length * 2 > Math.min(hosts.length, 3)
    for (const from of live) {
      this.#entity(
        'cluster',
        'cluster',
        {
          id: '7c9e1f20',
          name: 'lab',
          clusterIp: '10.77.1.100',
          leader: quorum ? this.leader : null,
          leaderEpoch: this.faults.off.includes('h1') ? 42 : 41,
          quorum,
          elections: 4,
          raftElections: 1,
        },
        from,
      )
      for (const to of hosts) {
        if (Number(to.slice(1)) <= 3)
          this.#entity(
            'member',
            to,
            {
              host: to,
              memberId: `${to}8e9e05c52164694d`.slice(0, 16),
              state: this.isUp(to) ? 'up' : 'down',
              raftLeader: to === this.leader,
              version: '3.4.23',
            },
            from,
          )
        if (from === to) continue
        for (const plane of planes) {
          const id = `${from}/${to}/${plane}`
          const state = this.hears(from, to, plane)
          const old = this.#items.get(`${from} path/${id}`)?.doc as EntityDocs['path'] | undefined
          const firstSinceMs = state === 'up' ? this.startedAtMs - 25 * 3_600_000 : this.startedAtMs - 126_000
          const sinceMs = old ? (old.state === state ? old.sinceMs : Date.now()) : firstSinceMs
          this.#entity('path', id, {
            from,
            to,
            plane,
            state,
            sinceMs,
            lost: old?.lost ?? Math.floor(noise(id, 1) * 9),
            replayed: 0,
            forged: 0,
            clockOffsetMs: 0,
          })
        }
      }
      for (const plane of planes) {
        const nic = this.#items.get(`${from} nic/${from}/${plane}`)?.doc as EntityDocs['nic'] | undefined
        if (nic) this.#entity('nic', `${from}/${plane}`, { ...nic, state: this.faults.cut.includes(`${from}/${plane}`) ? 'down' : 'up' })
      }
    }
  }
}
