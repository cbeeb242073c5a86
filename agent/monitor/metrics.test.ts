import { expect, it } from 'vitest'
import { renderMetrics, type MetricsInput } from './metrics.ts'

const nothing: MetricsInput = { facts: undefined, nics: [], disks: [], neighbours: [], counters: undefined }

/** Series of the text format: name and labels, and the value. */
async function series(input: Partial<MetricsInput>): Promise<Record<string, number>> {
  const lines = (await renderMetrics({ ...nothing, ...input })).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]))
}

it('says 1 for what is up or well, 0 for what is not, and nothing of what is not known', async () => {
  const nic = { host: 'h1', mac: '02:00:00:00:00:01', addresses: [], mtuBytes: 1500 }
  const neighbour = { host: 'h1', chassisId: 'c', systemName: 'tor"1\\', portId: 'p1' }
  const disk = { host: 'h1', sizeBytes: 512 }
  const found = await series({
    nics: [
      { ...nic, name: 'mgmt', plane: 'mgmt', state: 'up' },
      { ...nic, name: 'eth1', state: 'down' },
      { ...nic, name: 'tun0', state: 'unknown' },
    ],
    neighbours: [
      { ...neighbour, nic: 'mgmt' },
      { ...neighbour, nic: 'eth1', lostAtMs: 1 },
    ],
    disks: [
      { ...disk, name: 'sda', health: 'ok' },
      { ...disk, name: 'sdb', health: 'failing' },
      { ...disk, name: 'sdc', health: 'unknown' },
    ],
  })
  expect(found).toEqual({
    'holdfast_nic_up{nic="mgmt",plane="mgmt"}': 1,
    'holdfast_nic_up{nic="eth1",plane=""}': 0,
    'holdfast_lldp_neighbour_up{nic="mgmt",system="tor\\"1\\\\",port="p1"}': 1,
    'holdfast_lldp_neighbour_up{nic="eth1",system="tor\\"1\\\\",port="p1"}': 0,
    'holdfast_disk_ok{disk="sda"}': 1,
    'holdfast_disk_ok{disk="sdb"}': 0,
    'holdfast_disk_size_bytes{disk="sda"}': 512,
    'holdfast_disk_size_bytes{disk="sdb"}': 512,
    'holdfast_disk_size_bytes{disk="sdc"}': 512,
  })
})

it('shows the kernel’s counters in seconds and bytes, and gives the same text when asked again', async () => {
  const input: Partial<MetricsInput> = {
    counters: {
      monotonicMs: 0,
      wallMs: 0,
      cpu: { total: 250, idle: 100 },
      memory: { totalBytes: 10, availableBytes: 4 },
      load1: 0.5,
      nics: new Map([['mgmt', { rxBytes: 1, txBytes: 2, drops: 3 }]]),
      disks: new Map([['vdb', { readBytes: 4, writtenBytes: 5, busyMs: 6000 }]]),
    },
  }
  expect(await series(input)).toEqual({
    'holdfast_memory_available_bytes': 4,
    'holdfast_load1': 0.5,
    'holdfast_cpu_seconds_total': 2.5,
    'holdfast_cpu_idle_seconds_total': 1,
    'holdfast_nic_received_bytes_total{nic="mgmt"}': 1,
    'holdfast_nic_sent_bytes_total{nic="mgmt"}': 2,
    'holdfast_nic_dropped_packets_total{nic="mgmt"}': 3,
    'holdfast_disk_read_bytes_total{disk="vdb"}': 4,
    'holdfast_disk_written_bytes_total{disk="vdb"}': 5,
    'holdfast_disk_busy_seconds_total{disk="vdb"}': 6,
  })
  expect(await series(input)).toEqual(await series(input))
})
