import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { z } from 'zod'
import type { AgentPaths } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'

/** `refused.json`, written by the cluster module: who is turned away although the CA signed for them. */
const refusedSchema = z.object({
  /** Hosts that were removed. */
  hosts: z.array(z.string()).default([]),
  /** Serial numbers of single certificates, hex in lower case without leading zeros or colons. */
  serials: z.array(z.string()).default([]),
})

/** What the TLS server needs; `ca` is also what callers are checked against. */
export interface TlsFiles {
  ca: string
  key: string
  cert: string
}

/** The host's certificate and the list of the refused, as the files have them; looked at every two seconds. */
export class Credentials {
  readonly #paths: AgentPaths
  readonly #logger: Logger
  #tls: TlsFiles
  #hosts = new Set<string>()
  #serials = new Set<string>()
  #stamp = ''
  readonly #timer: NodeJS.Timeout

  /** `onChange` is told after the certificate or the list changed. Throws when the files cannot be read or do not belong together. */
  constructor(paths: AgentPaths, logger: Logger, onChange: () => void) {
    this.#paths = paths
    this.#logger = logger
    this.#tls = this.#read()
    this.#stamp = this.#stamps()
    this.#readRefused()
    this.#timer = setInterval(() => {
      if (this.#reload()) onChange()
    }, 2_000)
  }

  get tls(): TlsFiles {
    return this.#tls
  }

  /** Whether the holder of this certificate is turned away. */
  isRefused(name: string, role: string, serial: string): boolean {
    return (role === 'host' && this.#hosts.has(name)) || this.#serials.has(serial.toLowerCase().replace(/^0+/, ''))
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #reload(): boolean {
    const stamp = this.#stamps()
    if (stamp === this.#stamp) return false
    try {
      this.#tls = this.#read()
    } catch (cause) {
      // Key and certificate are two files: in the middle of a rotation they do not match. The next look will find both.
      this.#logger.warn('new certificate files cannot be used yet', { cause })
      return false
    }
    this.#readRefused()
    this.#stamp = stamp
    this.#logger.info('certificate files were read again')
    return true
  }

  #read(): TlsFiles {
    const read = (name: string) => readFileSync(join(this.#paths.pki, name), 'utf8')
    const tls = { ca: read('ca.crt'), key: read('host.key'), cert: read('host.crt') }
    createSecureContext(tls)
    return tls
  }

  #readRefused(): void {
    try {
      const { hosts, serials } = refusedSchema.parse(JSON.parse(readFileSync(this.#paths.refused, 'utf8')))
      this.#hosts = new Set(hosts)
      this.#serials = new Set(serials.map((serial) => serial.toLowerCase().replace(/^0+/, '')))
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') this.#hosts = this.#serials = new Set()
      // A damaged list must not open the door to those on the last good one.
      else this.#logger.error('the list of refused certificates cannot be read; the last one stays in force', { cause })
    }
  }

  #stamps(): string {
    const files = [...['ca.crt', 'host.key', 'host.crt'].map((name) => join(this.#paths.pki, name)), this.#paths.refused]
    return files
      .map((file) => {
        const stat = statSync(file, { throwIfNoEntry: false })
        return stat ? `${stat.ino}:${stat.mtimeMs}:${stat.size}` : '-'
      })
      .join(' ')
  }
}
