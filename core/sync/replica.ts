import type { Position, SyncFrame } from '../contract/agent/sync.ts'
import { HoldfastError } from '../errors.ts'
import { keyOf } from './object-log.ts'

/** An object as it came over the wire: its kind may be one that this version does not know. */
export type WireEntity = Extract<SyncFrame, { type: 'snapshot' }>['items'][number]

/** The reader's side of an ObjectLog: what the source holds as of the last frame, and where to go on from. */
export class Replica {
  readonly items = new Map<string, WireEntity>()
  #position: Position | undefined

  /** Give this to `watch` when coming back; undefined before the first frame. */
  get position(): Position | undefined {
    return this.#position
  }

  /** Applies a frame. Throws `bad-input` for a delta that does not continue what is here: forget the position and watch anew. */
  apply(frame: SyncFrame): void {
    if (frame.type === 'snapshot') {
      this.items.clear()
      for (const item of frame.items) this.items.set(keyOf(item.kind, item.id), item)
    } else {
      if (frame.epoch !== this.#position?.epoch || frame.rev < this.#position.rev) {
        throw new HoldfastError(
          'bad-input',
          `A ${frame.type} frame does not continue what was received before`,
          'Watch again without a position to get a snapshot.',
          {
            have: this.#position,
            got: { epoch: frame.epoch, rev: frame.rev },
          },
        )
      }
      if (frame.type === 'delta') {
        for (const { kind, id } of frame.dels) this.items.delete(keyOf(kind, id))
        for (const item of frame.puts) this.items.set(keyOf(item.kind, item.id), item)
      }
    }
    this.#position = { epoch: frame.epoch, rev: frame.rev }
  }

  /** Starts over, as if nothing had been received. */
  reset(): void {
    this.items.clear()
    this.#position = undefined
  }
}
