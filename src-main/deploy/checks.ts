import { z } from 'zod'
import { HoldfastError } from '../../core/errors.ts'
import { planes, type Plane } from '../../core/model/common.ts'
import type { SshConnection } from '../ssh/connection.ts'
import { agentPorts, isOursFunction, places } from './places.ts'

/** Clocks further apart than this are refused: certificates, leases and the order of events would lie. */
const clockToleranceMs = 30_000

/** What the agent's own state needs on top of its files: etcd's logs and snapshots. */
const stateBytes = 256 * 1024 * 1024

/** How the host starts services. */
export type InitSystem = 'systemd' | 'sysv'

const systemScript = `
uname -s; uname -m; id -u
(. /etc/os-release 2>/dev/null; printf '%s\\n%s\\n%s\\n' "$ID" "$VERSION_ID" "$PRETTY_NAME")
if [ -d /run/systemd/system ]; then echo systemd; else echo sysv; fi
`

/** Refuses what the agent does not run on: `system-unsupported`. */
export async function checkSystem(ssh: SshConnection): Promise<{ system: string; init: InitSystem }> {
  await checkShell(ssh)
  const [kernel = '', machine = '', uid = '', id = '', version = '', pretty = '', init = ''] = (await ssh.run(['sh', '-c', systemScript])).split('\n')
  const unsupported = (what: string, hint: string) =>
    new HoldfastError('system-unsupported', `${ssh.label}: ${what}`, hint, { kernel, machine, id, version })
  if (kernel !== 'Linux' || machine !== 'x86_64') {
    throw unsupported(`this is ${kernel} on ${machine}`, 'Holdfast’s agent runs on Linux on x86_64.')
  }
  // Debian's testing has no VERSION_ID.
  if (id !== 'debian' || (version !== '' && Number.parseInt(version, 10) < 12)) {
    throw unsupported(`this is ${pretty || id || 'an unknown system'}`, 'Install Debian 12 or newer on the host.')
  }
  if (uid !== '0') throw unsupported('the account is not root', 'Use root’s account: the agent manages networks, disks and processes.')
  return { system: pretty, init: init === 'systemd' ? 'systemd' : 'sysv' }
}

/** Our quoting is that of POSIX; an account whose shell reads it otherwise (fish, csh) would get other arguments than we sent. */
async function checkShell(ssh: SshConnection): Promise<void> {
  const probe = `a\\\\b'c\\'d "$x" !`
  const result = await ssh.exec(['printf', '%s', probe])
  if (result.code === 0 && result.stdout === probe) return
  throw new HoldfastError(
    'system-unsupported',
    `${ssh.label}: the account’s login shell is not a POSIX shell, or prints text of its own`,
    'Give the account /bin/bash or /bin/sh (chsh), and let its start-up files print nothing.',
    { printed: result.stdout.slice(0, 200) },
  )
}

/** Compares the host's clock with the laptop's, and with the cluster's where there is one: `clock-skew`. Answers the offset to the laptop in ms. */
export async function checkClock(ssh: SshConnection, clusterOffsetMs: number | null): Promise<number> {
  const askedMs = Date.now()
  const printed = (await ssh.run(['date', '+%s%3N'])).trim()
  const answeredMs = Date.now()
  if (!/^\d{13,}$/.test(printed)) {
    throw new HoldfastError(
      'step-failed',
      `${ssh.label}: date printed ${JSON.stringify(printed.slice(0, 50))}`,
      'GNU date is needed on the host (package coreutils).',
    )
  }
  const offsetMs = Number(printed) - (askedMs + answeredMs) / 2
  const judged = judgeClock(offsetMs, clusterOffsetMs)
  if (judged === null) return Math.round(offsetMs)
  const wrong = judged.wrong === 'host' ? 'The host’s clock' : 'This laptop’s clock'
  throw new HoldfastError(
    'clock-skew',
    `${ssh.label}: ${wrong} is ${describeOffset(judged.offsetMs)} ${judged.against}`,
    judged.wrong === 'host'
      ? 'Set the host’s clock (`timedatectl set-ntp true`, or `date -u -s`), then try again.'
      : 'Set this laptop’s clock, then try again: the host and the cluster agree with each other.',
    { offsetMs: Math.round(judged.offsetMs), toleranceMs: clockToleranceMs },
  )
}

/** Which clock is wrong, by how much and against whom; null where all agree. Offsets are against the laptop, in ms. */
export function judgeClock(
  hostOffsetMs: number,
  clusterOffsetMs: number | null,
): { wrong: 'host' | 'laptop'; offsetMs: number; against: string } | null {
  const far = (offsetMs: number) => Math.abs(offsetMs) > clockToleranceMs
  if (clusterOffsetMs === null) return far(hostOffsetMs) ? { wrong: 'host', offsetMs: hostOffsetMs, against: 'this laptop’s' } : null
  if (far(hostOffsetMs - clusterOffsetMs)) return { wrong: 'host', offsetMs: hostOffsetMs - clusterOffsetMs, against: 'the cluster’s' }
  return far(hostOffsetMs) ? { wrong: 'laptop', offsetMs: -hostOffsetMs, against: 'the cluster’s' } : null
}

function describeOffset(offsetMs: number): string {
  const seconds = Math.round(Math.abs(offsetMs) / 1000)
  const amount = seconds < 120 ? `${seconds} s` : seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
  return `${amount} ${offsetMs > 0 ? 'ahead of' : 'behind'}`
}

const spaceScript = `
for place in "$@"; do
  while [ ! -d "$place" ]; do place=$(dirname "$place"); done
  df -B1 --output=avail,target "$place" | tail -n 1
done
`

/** Refuses a host on which the agent's files (`packageBytes`: the tarball and what it unpacks to) and its state have no room: `disk-full`. */
export async function checkSpace(ssh: SshConnection, packageBytes: number): Promise<void> {
  const wanted = [
    { place: places.opt, bytes: packageBytes },
    { place: places.state, bytes: stateBytes },
  ]
  const lines = (await ssh.run(['sh', '-c', spaceScript, 'sh', ...wanted.map((want) => want.place)])).trim().split('\n')
  const byFileSystem = new Map<string, { available: number; needed: number; places: string[] }>()
  for (const [index, want] of wanted.entries()) {
    const [, available = '0', target = '?'] = /^\s*(\d+)\s+(.*)$/.exec(lines[index] ?? '') ?? []
    const entry = byFileSystem.get(target) ?? { available: Number(available), needed: 0, places: [] }
    entry.needed += want.bytes
    entry.places.push(want.place)
    byFileSystem.set(target, entry)
  }
  for (const [target, { available, needed, places: holding }] of byFileSystem) {
    if (available >= needed) continue
    throw new HoldfastError(
      'disk-full',
      `${ssh.label}: ${target} has ${mebibytes(available)} free, ${mebibytes(needed)} are needed for ${holding.join(' and ')}`,
      `Free ${mebibytes(needed - available)} there, or mount more space, then try again.`,
      { fileSystem: target, availableBytes: available, neededBytes: needed },
    )
  }
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 / 1024)} MiB`
}

const portsScript = `
${isOursFunction}
ss -Hlntup
for pid in $(ss -Hlntup | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -u); do
  if is_ours "$pid"; then echo "ours $pid"; fi
done
`

/** A socket that somebody listens on, from a line of `ss -Hlntup`. */
export interface Listener {
  protocol: string
  port: number
  processes: { name: string; pid: number }[]
}

/** Reads `ss -Hlntup`. Lines of another shape are left out. */
export function parseListeners(text: string): Listener[] {
  return text.split('\n').flatMap((line) => {
    const [protocol = '', , , , local = ''] = line.trim().split(/\s+/)
    const port = Number(local.slice(local.lastIndexOf(':') + 1))
    if ((protocol !== 'tcp' && protocol !== 'udp') || !Number.isInteger(port) || port === 0) return []
    const processes = [...line.matchAll(/\("([^"]*)",pid=(\d+)/g)].map((match) => ({ name: match[1] ?? '', pid: Number(match[2]) }))
    return [{ protocol, port, processes }]
  })
}

/** Refuses a host on which a program other than the agent holds one of its ports: `port-taken`, which names the program. */
export async function checkPorts(ssh: SshConnection): Promise<void> {
  const printed = await ssh.run(['sh', '-c', portsScript])
  const ours = new Set([...printed.matchAll(/^ours (\d+)$/gm)].map((match) => Number(match[1])))
  for (const listener of parseListeners(printed)) {
    const wanted = agentPorts.find(({ protocol, port }) => protocol === listener.protocol && port === listener.port)
    const holder = listener.processes.find(({ pid }) => !ours.has(pid))
    if (!wanted || (listener.processes.length > 0 && !holder)) continue
    const who = holder ? `${holder.name} (process ${holder.pid})` : 'a program that does not show itself'
    throw new HoldfastError(
      'port-taken',
      `${ssh.label}: ${wanted.protocol} port ${wanted.port}, needed for ${wanted.use}, is held by ${who}`,
      holder?.name === 'etcd'
        ? 'Stop it and keep it from starting (`systemctl disable --now etcd`): the agent runs an etcd of its own.'
        : `Stop ${holder?.name ?? 'it'} on the host or move it to another port, then try again.`,
      { port: wanted.port, protocol: wanted.protocol, process: holder?.name, pid: holder?.pid },
    )
  }
}

const ipSchema = z.array(z.looseObject({ ifname: z.string(), addr_info: z.array(z.looseObject({ local: z.string().optional() })).default([]) }))

/** Which interface carries each plane, by the address it is to have there: `bad-input` for an address that the host does not have. */
export async function findNics(ssh: SshConnection, addresses: Partial<Record<Plane, string>>): Promise<Partial<Record<Plane, string>>> {
  const interfaces = ipSchema.parse(JSON.parse(await ssh.run(['ip', '-j', 'addr'])))
  const found: Partial<Record<Plane, string>> = {}
  for (const plane of planes) {
    const address = addresses[plane]
    if (address === undefined) continue
    const nic = interfaces.find(({ addr_info }) => addr_info.some(({ local }) => local === address))
    if (!nic) {
      const has = interfaces.flatMap(({ ifname, addr_info }) => (ifname === 'lo' ? [] : addr_info.map(({ local }) => `${local} on ${ifname}`)))
      throw new HoldfastError(
        'bad-input',
        `${ssh.label}: no interface has the ${plane} address ${address}`,
        `Give the host that address, or name one that it has: ${has.join(', ') || 'none'}.`,
        { plane, address },
      )
    }
    found[plane] = nic.ifname
  }
  return found
}
