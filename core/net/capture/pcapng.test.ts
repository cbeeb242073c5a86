import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concatBytes } from '../packet/bytes.ts'
import { pcapngBlocks, readPcapng, type PcapngFile } from './pcapng.ts'

const text = fc.string({ maxLength: 30, unit: 'grapheme' }).filter((one) => !one.includes('\0'))
const files: fc.Arbitrary<PcapngFile> = fc
  .record({
    comment: text,
    interfaces: fc.array(
      fc.record({
        name: text,
        description: text,
        comment: text,
        filter: text,
        snapBytes: fc.integer({ min: 0, max: 262_144 }),
        lost: fc.option(fc.integer({ min: 0, max: 2 ** 40 })),
      }),
      { minLength: 1, maxLength: 5 },
    ),
    packets: fc.array(
      fc.record({
        point: fc.nat(4),
        atUs: fc.integer({ min: 0, max: 4e15 }),
        bytes: fc.nat(0xffff_ffff),
        frame: fc.uint8Array({ maxLength: 70 }),
      }),
      { maxLength: 12 },
    ),
  })
  .map((file) => ({ ...file, packets: file.packets.map((packet) => ({ ...packet, point: packet.point % file.interfaces.length })) }))
const bytesOf = (file: PcapngFile): Uint8Array => concatBytes(...pcapngBlocks(file))

const example: PcapngFile = {
  comment: 'a capture',
  interfaces: [
    { name: 'port:web-1', description: 'h1/hf257', comment: 'the cable of port web-1, ± 3 µs', filter: 'icmp', snapBytes: 65_535, lost: 7 },
    { name: 'nic:h1/tenant', description: 'h1/tenant', comment: 'a NIC', filter: '', snapBytes: 65_535, lost: null },
  ],
  packets: [
    { point: 1, atUs: 1_795_332_755_383_635, bytes: 60, frame: new Uint8Array(60) },
    { point: 0, atUs: 1_795_332_755_383_700, bytes: 1500, frame: new Uint8Array(61).fill(1) },
  ],
}

describe('a pcapng file', () => {
  it('reads as what was written', () => {
    fc.assert(
      fc.property(files, (file) => {
        expect(readPcapng(bytesOf(file))).toEqual({ ...file, cut: false })
      }),
    )
  })

  it('gives what is whole of it when it is cut', () => {
    fc.assert(
      fc.property(files, fc.nat(), (file, at) => {
        const bytes = bytesOf(file)
        const firstBlock = pcapngBlocks(file)[0]!.length
        const length = firstBlock + (at % (bytes.length - firstBlock + 1))
        const read = readPcapng(bytes.subarray(0, length))
        expect(read.interfaces.length).toBeLessThanOrEqual(file.interfaces.length)
        expect(read.packets).toEqual(file.packets.slice(0, read.packets.length))
        expect(
          read.cut || length === bytes.length || pcapngBlocks(file).some((_, count, all) => concatBytes(...all.slice(0, count)).length === length),
        ).toBe(true)
      }),
    )
  })

  it('is refused with words, never by accident, whatever its bytes are', () => {
    const bytes = bytesOf(example)
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }), (changes) => {
        const broken = Uint8Array.from(bytes)
        for (const [at, value] of changes) broken[at] = value
        try {
          expect(readPcapng(broken).packets.length).toBeLessThanOrEqual(example.packets.length)
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: 'bad-input', message: expect.stringMatching(/^It is no capture file: /) as string })
        }
      }),
      { numRuns: 500 },
    )
  })

  it.each([
    ['a packet longer than its block', 4 * 5],
    ['an interface that is not there', 4 * 2],
  ])('is refused with %s', (_, offset) => {
    const blocks = pcapngBlocks(example).map((block) => Uint8Array.from(block))
    new DataView(blocks[3]!.buffer).setUint32(offset, 0xffff_fff0, true)
    expect(() => readPcapng(concatBytes(...blocks))).toThrow('It is no capture file')
  })

  it('is read in the other byte order and resolution, too', () => {
    // A section, an interface of nanoseconds and a packet as a big-endian machine writes them.
    const hex =
      '0a0d0d0a0000001c1a2b3c4d00010000ffffffffffffffff0000001c' +
      '0000000100000020000100000000000000090001090000000000000000000020' +
      '00000006000000240000000000000000000003e800000004000005dcdeadbeef00000024'
    const read = readPcapng(Uint8Array.from(Buffer.from(hex, 'hex')))
    expect(read.packets).toEqual([{ point: 0, atUs: 1, bytes: 1500, frame: Uint8Array.of(0xde, 0xad, 0xbe, 0xef) }])
  })

  const wireshark = spawnSync('capinfos', ['--version']).status === 0
  it.skipIf(!wireshark)('opens in Wireshark: needs capinfos and tshark', () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-pcapng-'))
    try {
      const path = join(folder, 'a.pcapng')
      writeFileSync(path, bytesOf(example))
      const said = execFileSync('capinfos', [path], { encoding: 'utf8' })
      expect(said).toContain('Number of interfaces in file: 2')
      expect(said).toContain('Comment = the cable of port web-1, ± 3 µs')
      expect(said).toContain('Filter string = icmp')
      expect(said).toContain('Capture application: Holdfast')
      const fields = ['frame.time_epoch', 'frame.interface_name', 'frame.len', 'frame.cap_len'].flatMap((field) => ['-e', field])
      const listed = execFileSync('tshark', ['-r', path, '-T', 'fields', ...fields], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      expect(listed).toBe('1795332755.383635000\tnic:h1/tenant\t60\t60\n1795332755.383700000\tport:web-1\t1500\t61\n')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
