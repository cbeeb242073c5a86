import type { Env } from '../../core/env.ts'
import type { Neighbour } from '../../core/model/index.ts'
import type { Logger } from '../runtime/logger.ts'
import { parseNeighbours } from './lldp.ts'
import { oneAtATime, outputOf, Watcher } from './programs.ts'

export interface NeighbourWatchOptions {
  env: Env
  logger: Logger
  host: string
  /** What LLDP hears now; empty also when lldpd does not answer. */
  onHeard(neighbours: Neighbour[]): void
}

/** Asks lldpd what it hears at start and whenever `lldpcli watch` says that it changed. */
export class NeighbourWatch implements Disposable {
  readonly #watcher: Watcher
  /** Asks now, e.g. to be sure after long silence. */
  readonly look: () => void

  constructor(options: NeighbourWatchOptions) {
    const { env, logger, host, onHeard } = options
    this.look = oneAtATime(
      async () => {
        const text = await outputOf(['lldpcli', '-f', 'json0', 'show', 'neighbors'], 5000)
        onHeard((text === null ? null : parseNeighbours(text, host)) ?? [])
      },
      (cause) => logger.error('neighbours could not be listed', { cause }),
    )
    this.#watcher = new Watcher({ env, logger, command: ['lldpcli', '-f', 'json0', 'watch'], onChange: this.look, onSilent: () => onHeard([]) })
  }

  [Symbol.dispose](): void {
    this.#watcher[Symbol.dispose]()
  }
}
