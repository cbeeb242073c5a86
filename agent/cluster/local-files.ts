import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AgentPaths } from '../runtime/config.ts'
import { replaceFile } from '../supervisor/files.ts'
import { hostDocSchema, type HostDoc, type RevokedDoc } from './documents.ts'
import { createRevocationList } from './revocation-list.ts'

/** What the module keeps in `/var/lib/holdfast`: for its next start, for the supervisor and for etcd. Written only when it changes. */
export class LocalFiles {
  readonly #paths: AgentPaths
  readonly #written = new Map<string, string>()

  constructor(paths: AgentPaths) {
    this.#paths = paths
    mkdirSync(paths.state, { recursive: true, mode: 0o700 })
  }

  /** Hosts as they were known last, so that a start is heard before the store answers, or when it does not. */
  knownHosts(): HostDoc[] {
    const docs = this.#readJson<unknown[]>('known-hosts.json', [])
    return docs.flatMap((doc) => hostDocSchema.safeParse(doc).data ?? [])
  }

  keepHosts(hosts: Iterable<HostDoc>): void {
    this.#write(this.#path('known-hosts.json'), JSON.stringify([...hosts]))
  }

  /** The highest boot heard of each peer: heartbeats of an earlier one are replays, also after a start. */
  heardBoots(): Record<string, number> {
    return this.#readJson('heard-boots.json', {})
  }

  keepBoots(boots: Record<string, number>): void {
    this.#write(this.#path('heard-boots.json'), JSON.stringify(boots))
  }

  /** Counts a start without predecessor, on disk before it is used. */
  nextBoot(): number {
    const boot = (Number.parseInt(readText(this.#path('boot-count')), 10) || 0) + 1
    this.#write(this.#path('boot-count'), `${boot}\n`)
    return boot
  }

  /** `refused.json` for the supervisor. `present`: hosts of that name that are in the cluster (again) are known by their certificates alone. */
  keepRefused(revoked: readonly RevokedDoc[], present: (host: string) => boolean): void {
    const hosts = [...new Set(revoked.map((doc) => doc.host).filter((host) => !present(host)))].sort()
    this.#write(this.#paths.refused, JSON.stringify({ hosts, serials: serialsOf(revoked) }))
  }

  /** The list of revoked certificates that etcd reads at each handshake. */
  get revocationList(): string {
    return this.#path('store.crl')
  }

  /** Writes that list, an empty one when none is there yet. */
  keepRevocationList(revoked: readonly RevokedDoc[], nowMs: number): void {
    const serials = serialsOf(revoked)
    // Every list differs by its signature, so what it was made of is kept beside it.
    const madeOf = this.#path('store.crl.serials')
    if ((this.#written.get(madeOf) ?? readText(madeOf)) !== serials.join() || !existsSync(this.revocationList))
      replaceFile(this.revocationList, createRevocationList(serials, nowMs), 0o600)
    this.#write(madeOf, serials.join())
  }

  #path(name: string): string {
    return join(this.#paths.state, name)
  }

  #write(path: string, content: string): void {
    if (this.#written.get(path) === content) return
    // The version before may have written the same; syncing a disk holds everything up, heartbeats included.
    if (this.#written.has(path) || readText(path) !== content) replaceFile(path, content, 0o600)
    this.#written.set(path, content)
  }

  #readJson<T>(name: string, otherwise: T): T {
    try {
      return JSON.parse(readText(this.#path(name))) as T
    } catch {
      return otherwise
    }
  }
}

const serialsOf = (revoked: readonly RevokedDoc[]) => [...new Set(revoked.flatMap((doc) => doc.serials))].sort()

/** The content of a file, empty when there is none. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
