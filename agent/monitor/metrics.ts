import { Counter, Gauge, Registry } from 'prom-client'
import type { Disk, Facts, Neighbour, Nic } from '../../core/model/index.ts'
import { ticksPerSecond } from './proc.ts'
import type { Counters } from './sampling.ts'

/** What the host is known to be at one instant. */
export interface MetricsInput {
  facts: Facts | undefined
  nics: readonly Nic[]
  disks: readonly Disk[]
  neighbours: readonly Neighbour[]
  counters: Counters | undefined
}

/** Content type of the text format that `renderMetrics` writes. */
export const metricsContentType = Registry.PROMETHEUS_CONTENT_TYPE

/**
 * The host in Prometheus' text format. Every series is made from the input afresh, so that what is gone is gone. States are numbers:
 * 1 up or well, 0 down or failing; what is not known has no series.
 */
export function renderMetrics(input: MetricsInput): Promise<string> {
  const registry = new Registry()
  const gauge = <L extends string>(name: string, help: string, labelNames: L[] = []): Gauge<L> =>
    new Gauge({ name: `holdfast_${name}`, help, labelNames, registers: [registry] })
  const { facts, nics, disks, neighbours, counters } = input

  if (facts) {
    gauge('host_info', 'The host: always 1', ['host', 'os', 'os_version', 'kernel']).set(
      { host: facts.host, os: facts.os.name, os_version: facts.os.version, kernel: facts.os.kernel },
      1,
    )
    gauge('host_boot_time_seconds', 'When the host booted, Unix time').set(facts.bootedAtMs / 1000)
    gauge('host_memory_bytes', 'Memory of the host').set(facts.memoryBytes)
    gauge('host_cpu_cores', 'Cores of the host').set(facts.cpu.cores)
  }

  const nicUp = gauge('nic_up', 'Whether the NIC has a carrier', ['nic', 'plane'])
  for (const nic of nics) if (nic.state !== 'unknown') nicUp.set({ nic: nic.name, plane: nic.plane ?? '' }, Number(nic.state === 'up'))
  const neighbourUp = gauge('lldp_neighbour_up', 'Whether LLDP hears the neighbour that the NIC is cabled to', ['nic', 'system', 'port'])
  for (const found of neighbours)
    neighbourUp.set({ nic: found.nic, system: found.systemName, port: found.portId }, Number(found.lostAtMs === undefined))
  const diskOk = gauge('disk_ok', 'SMART verdict of the disk', ['disk'])
  const diskSize = gauge('disk_size_bytes', 'Size of the disk', ['disk'])
  for (const disk of disks) {
    if (disk.health !== 'unknown') diskOk.set({ disk: disk.name }, Number(disk.health === 'ok'))
    diskSize.set({ disk: disk.name }, disk.sizeBytes)
  }

  if (counters) {
    const total = <L extends string>(name: string, help: string, labelNames: L[] = []): Counter<L> =>
      new Counter({ name: `holdfast_${name}_total`, help, labelNames, registers: [registry] })
    gauge('memory_available_bytes', 'Memory that programs could still get').set(counters.memory.availableBytes)
    gauge('load1', 'Load average over one minute').set(counters.load1)
    total('cpu_seconds', 'Time of all cores since boot').inc(counters.cpu.total / ticksPerSecond)
    total('cpu_idle_seconds', 'Time in which they had nothing to do or waited for disks').inc(counters.cpu.idle / ticksPerSecond)
    const received = total('nic_received_bytes', 'Bytes received', ['nic'])
    const sent = total('nic_sent_bytes', 'Bytes sent', ['nic'])
    const dropped = total('nic_dropped_packets', 'Packets dropped in either direction', ['nic'])
    for (const [nic, counted] of counters.nics) {
      received.inc({ nic }, counted.rxBytes)
      sent.inc({ nic }, counted.txBytes)
      dropped.inc({ nic }, counted.drops)
    }
    const read = total('disk_read_bytes', 'Bytes read', ['disk'])
    const written = total('disk_written_bytes', 'Bytes written', ['disk'])
    const busy = total('disk_busy_seconds', 'Time with a request in flight', ['disk'])
    for (const [disk, counted] of counters.disks) {
      read.inc({ disk }, counted.readBytes)
      written.inc({ disk }, counted.writtenBytes)
      busy.inc({ disk }, counted.busyMs / 1000)
    }
  }
  return registry.metrics()
}
