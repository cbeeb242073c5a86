import { answerError } from '../../../core/net/compile/error-answer.ts'
import type { Logger } from '../../runtime/logger.ts'
import { deviceIndex, errorDevice } from '../switch/devices.ts'
import { TapDevice } from './tap-device.ts'

/**
 * Answers at the switch's port for errors: builds the ICMP error for every packet that flows send there. It lives in the keeper, so that
 * traceroute and path-MTU discovery go on while the network module does not.
 */
export class ErrorAnswers implements Disposable {
  readonly #logger: Logger
  #tap: TapDevice | null = null

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** Attends to the port if it is there and nobody does yet. To be called again and again: the device may be made anew. */
  attend(): void {
    if (this.#tap || deviceIndex(errorDevice) === null) return
    try {
      const tap = new TapDevice(errorDevice)
      tap.listen(
        (frame) => {
          const answer = answerError(frame)
          if (answer) tap.write(answer)
        },
        () => (this.#tap = null),
      )
      this.#tap = tap
    } catch (cause) {
      this.#logger.error('ICMP errors are not answered', { cause })
    }
  }

  [Symbol.dispose](): void {
    this.#tap?.[Symbol.dispose]()
  }
}
