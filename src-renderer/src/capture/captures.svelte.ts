import type { ErrorDoc } from '../../../core/errors.ts'
import { captureLimits, type CapturePlace } from '../../../core/model/capture.ts'
import { Capture } from '../../../core/net/capture/capture.ts'
import { pcapngBlocks, type PcapngFile, type PcapngPacket } from '../../../core/net/capture/pcapng.ts'
import { asErrorDoc } from '../desktop.ts'
import { app } from '../state/app.svelte.ts'
import { overlays } from '../state/overlays.svelte.ts'
import type { CaptureInput } from './request.ts'

/** One packet of the list. */
export interface Row {
  /** From 1, in the order of the list. */
  n: number
  packet: PcapngPacket
}

/** A place of the capture on the screen, and what came of it. */
export interface PointState {
  name: string
  device: string
  captured: number
  lost: number | null
  failure: string | null
}

/** How often the list follows what comes. */
const refreshMs = 250

/** The capture on the screen: it goes on while other screens are shown, and its packets are kept until the next one. */
class Captures {
  places = $state.raw<CapturePlace[]>([])
  filter = $state('')
  seconds = $state('30')
  maxMb = $state('16')
  running = $state(false)
  error = $state.raw<ErrorDoc | null>(null)
  filterError = $state<string | undefined>()
  startedAtMs = $state<number | null>(null)
  ended = $state.raw<Capture['ended']>(null)
  points = $state.raw<PointState[]>([])
  rows = $state.raw<Row[]>([])
  bytes = $state(0)
  selected = $state<string | undefined>()
  /** What is on the screen as a file; null: nothing has come yet. */
  #file: (() => PcapngFile) | null = null
  #id = ''
  #check = 0

  /** Whether something can be saved. */
  canSave = $derived(this.points.length > 0 && !this.running)

  add(place: CapturePlace): void {
    if (this.places.length < captureLimits.points) this.places = [...this.places, place]
  }

  remove(place: CapturePlace): void {
    this.places = this.places.filter((one) => one !== place)
  }

  /** Has the filter looked at by a host, and keeps what is wrong with it. */
  async checkFilter(): Promise<void> {
    const turn = ++this.#check
    const filter = this.filter
    const wrong = await app.client.capture.check({ filter }).then(
      () => undefined,
      (thrown: unknown) => asErrorDoc(thrown),
    )
    // Only a filter's own flaw is said here; what else fails is said when it is used.
    if (turn === this.#check) this.filterError = wrong?.code === 'bad-input' ? wrong.message : undefined
  }

  async start(input: CaptureInput): Promise<void> {
    this.clear()
    this.running = true
    const id = (this.#id = crypto.randomUUID())
    const capture = new Capture(input.filter)
    const timer = setInterval(() => this.#show(capture, capture.packets), refreshMs)
    try {
      for await (const event of await app.client.capture.start({ id, ...input })) {
        capture.take(event)
        if (event.type !== 'started') continue
        this.startedAtMs = Date.now()
        this.#show(capture, capture.packets)
      }
    } catch (thrown) {
      const error = asErrorDoc(thrown)
      if (error.code === 'bad-input' && error.data?.filter !== undefined) this.filterError = error.message
      else if (!overlays.askIfLocked(error)) this.error = error
    } finally {
      clearInterval(timer)
      this.running = false
      if (capture.points.length > 0) {
        const file = capture.file()
        this.#file = () => file
        this.rows = []
        this.#show(capture, file.packets)
      }
    }
  }

  /** What has come stays. */
  async stop(): Promise<void> {
    await app.attempt(() => app.client.capture.stop({ id: this.#id }))
  }

  /** Shows a file that was saved before. */
  open(file: PcapngFile): void {
    this.clear()
    this.#file = () => file
    this.rows = file.packets.map((packet, index) => ({ n: index + 1, packet }))
    const captured = file.interfaces.map(() => 0)
    for (const { point } of file.packets) captured[point]!++
    this.points = file.interfaces.map(({ name, description, lost }, index) => ({
      ...{ name, device: description, captured: captured[index]!, lost, failure: null },
    }))
    this.bytes = file.packets.reduce((sum, { frame }) => sum + frame.length, 0)
  }

  /** The file for Wireshark. */
  blob(): Blob {
    return new Blob(this.#file ? (pcapngBlocks(this.#file()) as BlobPart[]) : [], { type: 'application/x-pcapng' })
  }

  clear(): void {
    this.#file = null
    this.error = null
    this.filterError = undefined
    this.startedAtMs = null
    this.ended = null
    this.points = []
    this.rows = []
    this.bytes = 0
    this.selected = undefined
  }

  /** Packets by their point's name, times by the laptop's clock. */
  #show(capture: Capture, packets: readonly PcapngPacket[]): void {
    this.ended = capture.ended
    this.bytes = capture.bytes
    this.points = capture.points.map(({ place: _place, host, device, failure }, index) => ({
      name: capture.name(index),
      device: `${host}/${device}`,
      captured: capture.captured[index] ?? 0,
      lost: capture.lost[index] ?? null,
      failure,
    }))
    if (packets.length === this.rows.length) return
    const shown = this.rows.length
    const own = packets === capture.packets
    const more = packets.slice(shown).map((packet, index) => ({
      n: shown + index + 1,
      packet: own ? { ...packet, atUs: capture.ownClock(packet.point, packet.atUs) } : packet,
    }))
    this.rows = [...this.rows, ...more]
  }
}

export const captures = new Captures()
