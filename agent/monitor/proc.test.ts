import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseBootTimeS, parseCpuTicks, parseDiskCounters, parseLoad1, parseMemory, parseNicCounters, parseStartTicks } from './proc.ts'

// Recorded on Linux 6.18.
const stat = `cpu  12931 0 4136 219585 1008 0 221 10922 7 0
cpu0 6070 0 1910 110854 141 0 110 5520 0 0
intr 657872 0 0
btime 1795295562
processes 9450
`
const netDev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1010908    5027    0    0    0     0          0         0  1010908    5027    0    0    0     0       0          0
  eth0: 769724230   22039    0    3    0     0          0         0  1226944   10705    0    4    0     0       0          0
h1-mgmt:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
`
const diskstats = `   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 254       0 vda 54684 13841 3450810 47582 22836 53607 3645144 100986 0 26972 154876 11838 47 410104 6199 2895 107
`
const meminfo = `MemTotal:       24684096 kB
MemFree:        23915948 kB
MemAvailable:   24237784 kB
`

it('reads what Linux writes', () => {
  expect(parseCpuTicks(stat)).toEqual({ total: 12931 + 4136 + 219585 + 1008 + 221 + 10922, idle: 219585 + 1008 })
  expect(parseBootTimeS(stat)).toBe(1795295562)
  expect(parseMemory(meminfo)).toEqual({ totalBytes: 24684096 * 1024, availableBytes: 24237784 * 1024 })
  expect(parseLoad1('0.20 0.32 0.15 1/135 9512\n')).toBe(0.2)
  expect([...parseNicCounters(netDev)]).toEqual([
    ['eth0', { rxBytes: 769724230, txBytes: 1226944, drops: 7 }],
    ['h1-mgmt', { rxBytes: 1, txBytes: 9, drops: 16 }],
  ])
  expect(parseDiskCounters(diskstats).get('254:0')).toEqual({ readBytes: 3450810 * 512, writtenBytes: 3645144 * 512, busyMs: 26972 })
  expect(parseStartTicks('1 (a) b (c) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 170000')).toBe(4711)
})

it('says that it does not know when the text is another', () => {
  for (const text of ['', 'cpu', 'cpu  1 2', 'cpux 1 2 3 4']) expect(parseCpuTicks(text)).toBeNull()
  expect(parseMemory('MemTotal: 1 kB\n')).toBeNull()
  expect(parseLoad1('x')).toBeNull()
  expect(parseStartTicks('')).toBeNull()
  expect(parseBootTimeS('')).toBeNull()
})

it('never throws, and never gives a figure that is no number', () => {
  const piece = fc.oneof(fc.constantFrom(stat, netDev, diskstats, meminfo, '\n', ' ', ':', 'cpu  '), fc.string(), fc.integer().map(String))
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const text = pieces.join('')
      const figures = [
        ...Object.values(parseCpuTicks(text) ?? {}),
        ...Object.values(parseMemory(text) ?? {}),
        parseLoad1(text) ?? 0,
        parseBootTimeS(text) ?? 0,
        parseStartTicks(text) ?? 0,
        ...[...parseNicCounters(text).values(), ...parseDiskCounters(text).values()].flatMap((counters) => Object.values(counters)),
      ] as unknown[]
      for (const figure of figures) expect(Number.isNaN(figure)).toBe(false)
    }),
  )
})
