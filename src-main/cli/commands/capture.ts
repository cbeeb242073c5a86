import { accessSync, constants, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { HoldfastError } from '../../../core/errors.ts'
import { captureLimits, parsePlace, type CapturePlace } from '../../../core/model/capture.ts'
import { Capture } from '../../../core/net/capture/capture.ts'
import { pcapngBlocks } from '../../../core/net/capture/pcapng.ts'
import { option, options, wholeNumber } from '../options.ts'
import { table } from '../output.ts'
import { UsageError } from '../parse.ts'
import { withServices } from '../services.ts'
import type { Call } from '../table.ts'

const bytesPerMb = 1_000_000

/** `capture --at PLACE … -o FILE`: until its time is over, it is full, or Ctrl-C, which keeps what has come. */
export async function capture(call: Call): Promise<void> {
  const places = options(call, 'at').map(readPlace)
  if (places.length === 0) throw new UsageError('--at is missing: where packets are captured', 'Give at least one place, such as port:web-1.')
  const file = option(call, 'output')
  if (file === undefined) throw new UsageError('-o is missing: the file that packets are written to', 'Give its path, e.g. capture.pcapng.')
  const seconds = within(call, 'seconds', captureLimits.ms / 1000) ?? 30
  const maxMb = within(call, 'max-mb', captureLimits.bytes / bytesPerMb) ?? 16
  checkWritable(file)
  const filter = option(call, 'filter') ?? ''
  await withServices(call, async ({ desktop }) => {
    const id = crypto.randomUUID()
    const stop = (): void => void desktop.capture.stop({ id })
    process.once('SIGINT', stop)
    const got = new Capture(filter)
    try {
      for await (const event of await desktop.capture.start({ id, places, filter, ms: seconds * 1000, maxBytes: maxMb * bytesPerMb })) {
        got.take(event)
        if (event.type === 'started')
          call.out.note(`Capturing at ${got.points.length} places for ${seconds} s; Ctrl-C ends it and keeps what has come.`)
      }
    } finally {
      process.removeListener('SIGINT', stop)
    }
    // What hosts and guests send is nobody else's business.
    writeFileSync(file, Buffer.concat(pcapngBlocks(got.file())), { mode: 0o600 })
    const answer = answerOf(file, got)
    call.out.answer(answer, () => textOf(answer))
  })
}

function readPlace(text: string): CapturePlace {
  const place = parsePlace(text)
  if (place) return place
  throw new UsageError(`${JSON.stringify(text)} is no place`, 'Places are port:NAME, nic:HOST/NIC, bridge:HOST and tunnel:HOST/NETWORK.')
}

function within(call: Call, name: string, most: number): number | undefined {
  const value = wholeNumber(call, name)
  if (value === undefined || (value >= 1 && value <= most)) return value
  throw new UsageError(`--${name} is ${value}`, `Give a number from 1 to ${most}.`)
}

/** Before anything is captured: otherwise it would be lost. */
function checkWritable(file: string): void {
  try {
    accessSync(dirname(file), constants.W_OK)
  } catch (cause) {
    throw new HoldfastError('bad-input', `${file} cannot be written: ${(cause as Error).message}`, 'Name a file in a folder of yours.', {}, { cause })
  }
}

/** `--json`. Clocks as they were at first; `lost` is null where it is not known. */
function answerOf(file: string, got: Capture) {
  return {
    file,
    ended: got.ended,
    packets: got.packets.length,
    bytes: got.bytes,
    points: got.points.map(({ host, device, failure }, index) => ({
      ...{ at: got.name(index), host, device, captured: got.captured[index] ?? 0, lost: got.lost[index] ?? null, failure },
    })),
    clocks: [...got.clocks].map(([host, [first]]) => ({ host, offsetUs: first!.offsetUs, uncertaintyUs: first!.uncertaintyUs })),
  }
}

const ends = { time: 'its time was over', size: 'it was full', stopped: 'it was stopped', failed: 'every place had failed' }

function textOf({ file, ended, packets, points, clocks }: ReturnType<typeof answerOf>): string {
  const rows = points.map(({ at, host, device, captured, lost, failure }) => [at, host, device, captured, lost, failure])
  const offsets = clocks.map(({ host, offsetUs, uncertaintyUs }) => `${host} ${offsetUs > 0 ? '+' : ''}${offsetUs} ± ${uncertaintyUs} µs`)
  return [
    table(['AT', 'HOST', 'DEVICE', 'PACKETS', 'LOST', 'FAILURE'], rows),
    `Clocks against this laptop’s, corrected: ${offsets.join(', ') || 'none was read'}.`,
    `${packets} packets in ${file}; it ended because ${ends[ended ?? 'stopped']}.`,
  ].join('\n')
}
