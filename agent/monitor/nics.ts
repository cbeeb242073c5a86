import { readFileSync } from 'node:fs'
import type { Env } from '../../core/env.ts'
import type { Nic } from '../../core/model/index.ts'
import type { Logger } from '../runtime/logger.ts'
import { isAddressNews, parseIpAddr, type PlaneConfig } from './ip-addr.ts'
import { oneAtATime, outputOf, Watcher } from './programs.ts'

export interface NicWatchOptions {
  env: Env
  logger: Logger
  host: string
  config: PlaneConfig
  onNics(nics: Nic[]): void
}

/** Lists the host's NICs at start and whenever the kernel says that a link or an address changed. A carrier lost is seen within 0.1 s. */
export class NicWatch implements Disposable {
  readonly #options: NicWatchOptions
  readonly #watcher: Watcher
  #known: Nic[] = []
  /** Looks now, e.g. to be sure after long silence. */
  readonly look: () => void

  constructor(options: NicWatchOptions) {
    this.#options = options
    this.look = oneAtATime(
      () => this.#list(),
      (cause) => options.logger.error('NICs could not be listed', { cause }),
    )
    this.#watcher = new Watcher({
      env: options.env,
      logger: options.logger,
      command: ['ip', '-o', 'monitor', 'link', 'address'],
      isNews: (line) => isAddressNews(line, this.#known),
      onChange: this.look,
      onSilent: () => undefined,
    })
  }

  async #list(): Promise<void> {
    const { host, config, logger, onNics } = this.#options
    const text = await outputOf(['ip', '-j', 'addr'], 5000)
    const nics = text === null ? null : parseIpAddr(text, host, config)
    if (nics === null) {
      logger.warn('`ip -j addr` gave no list')
      return
    }
    this.#known = nics
    onNics(nics.map((nic) => ({ ...nic, ...speedOf(nic.name) })))
  }

  [Symbol.dispose](): void {
    this.#watcher[Symbol.dispose]()
  }
}

/** What the driver says; virtual devices and those without a carrier say nothing or -1. */
function speedOf(name: string): { speedMbps?: number } {
  try {
    const speedMbps = Number(readFileSync(`/sys/class/net/${name}/speed`, 'utf8'))
    return Number.isInteger(speedMbps) && speedMbps > 0 ? { speedMbps } : {}
  } catch {
    return {}
  }
}
