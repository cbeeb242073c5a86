import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { mkdir, open, readFile, readdir, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../core/errors.ts'
import { machineDir, machineState, processRef, type LabState, type ProcessRef } from './state.ts'

const scriptsDir = join(import.meta.dirname, 'machine')
const bootTimeoutMs = 20_000

/** Where the machine has cgroup2 mounted. Throws `not-supported` where it has none. */
export async function cgroup2Dir(): Promise<string> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' '))
  const dir = mounts.find(([, , type]) => type === 'cgroup2')?.[1]
  if (dir) return dir
  throw new HoldfastError('not-supported', 'This machine has no cgroup2 mounted', 'Run `mount -t cgroup2 none /sys/fs/cgroup` (Linux 5.14 or newer).')
}

/** The cgroup of one machine of a lab; of the lab itself without `machine`. */
export async function cgroupOf(lab: string, machine?: string): Promise<string> {
  return join(await cgroup2Dir(), 'holdfast-lab', lab, ...(machine === undefined ? [] : [machine]))
}

/** A machine whose namespaces exist and whose file system is being built; it waits for `go`. */
export interface Booting {
  init: ProcessRef
  /** Lets it start its services: its NICs are plugged in. */
  go(): void
}

/** Begins to boot a host or a switch on its system disk. `disks`: name of each in its /dev, and its loop device number as MAJOR:MINOR. */
export async function beginBoot(options: {
  lab: string
  machine: string
  baseDir: string
  disks: readonly { name: string; number: string }[]
}): Promise<Booting> {
  const { lab, machine, baseDir, disks } = options
  const dir = machineDir(lab, machine)
  const cgroup = await cgroupOf(lab, machine)
  await mkdir(cgroup, { recursive: true })
  const console = await open(join(dir, 'console.log'), 'a', 0o600)
  // The outer unshare stays as the parent that reaps process 1; it is in the lab's cgroup, so that it outlives the machine's.
  const enterCgroup = (dir: string): string[] => ['sh', join(scriptsDir, 'in-cgroup.sh'), dir]
  const [program = '', ...args] = [
    ...enterCgroup(await cgroupOf(lab)),
    ...['unshare', '--fork', '--pid', '--mount', '--uts', '--ipc', '--net', '--'],
    ...enterCgroup(cgroup),
    ...['unshare', '--cgroup', '--', 'sh', join(scriptsDir, 'boot.sh'), dir, baseDir],
    ...disks.map(({ name, number }) => `${name}=${number}`),
  ]
  const child = spawn(program, args, {
    detached: true,
    stdio: ['pipe', 'pipe', console.fd],
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
  }) as ChildProcessByStdio<Writable, Readable, null>
  try {
    const pid = await new Promise<number>((resolve, reject) => {
      const fail = (why: string): void =>
        reject(
          new HoldfastError(
            'step-failed',
            `${machine} did not boot: ${why}`,
            `Read ${join(dir, 'console.log')}, then run \`lab down\` and \`lab up\`.`,
          ),
        )
      const timer = setTimeout(() => fail('no answer'), bootTimeoutMs)
      child.once('error', (error) => fail(error.message))
      child.once('exit', (code) => fail(`it ended with status ${code}`))
      createInterface({ input: child.stdout }).once('line', (line) => {
        clearTimeout(timer)
        resolve(Number(line.replace('pid ', '')))
      })
    })
    const init = processRef(pid)
    if (!init) throw new HoldfastError('step-failed', `${machine} ended while it booted`, `Read ${join(dir, 'console.log')}.`)
    return {
      init,
      go: () => {
        child.stdin.end('go\n')
        child.stdout.destroy()
        child.removeAllListeners('exit')
        child.unref()
      },
    }
  } finally {
    await console.close()
  }
}

/** Every cgroup below and including `dir`, deepest first; none if it is not there. */
export async function cgroupTree(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => null)
  if (!entries) return []
  const below = await Promise.all(entries.filter((entry) => entry.isDirectory()).map((entry) => cgroupTree(join(dir, entry.name))))
  return [...below.flat(), dir]
}

/** Whether any process lives in a cgroup or below it. */
async function isPopulated(cgroup: string): Promise<boolean> {
  return /^populated 1$/m.test(await readFile(join(cgroup, 'cgroup.events'), 'utf8').catch(() => ''))
}

/** Kills every process of a cgroup and below at once (frozen ones too) and removes it; returns when all are gone. */
export async function killCgroup(cgroup: string): Promise<void> {
  if ((await cgroupTree(cgroup)).length === 0) return
  await writeFile(join(cgroup, 'cgroup.kill'), '1')
  await until(async () => !(await isPopulated(cgroup)), 20_000, `processes of ${cgroup} to end`)
  for (const dir of await cgroupTree(cgroup)) await rmdir(dir)
}

/** Kills every machine of a lab and what else runs for it. */
export async function killLab(lab: string): Promise<void> {
  const cgroup = await cgroupOf(lab)
  const machines = (await readdir(cgroup, { withFileTypes: true }).catch(() => [])).filter((entry) => entry.isDirectory())
  await Promise.all(machines.map(({ name }) => killCgroup(join(cgroup, name))))
  // The parent of each process 1 reaps it and ends by itself; one that does not is killed with the lab's cgroup.
  const deadline = performance.now() + 1000
  while ((await isPopulated(cgroup)) && performance.now() < deadline) await sleep(5)
  await killCgroup(cgroup)
}

/** Freezes or thaws every process of a cgroup and below; returns when the kernel says that it is so. */
export async function setFrozen(cgroup: string, frozen: boolean): Promise<void> {
  const flag = frozen ? '1' : '0'
  await writeFile(join(cgroup, 'cgroup.freeze'), flag)
  const settled = async (): Promise<boolean> => (await readFile(join(cgroup, 'cgroup.events'), 'utf8')).includes(`frozen ${flag}`)
  await until(settled, 20_000, `processes of ${cgroup} to ${frozen ? 'freeze' : 'thaw'}`)
}

/** Polls until `condition` holds; throws `timeout` naming `what` after `limitMs`. */
export async function until(condition: () => Promise<boolean> | boolean, limitMs: number, what: string): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await condition())) {
    if (performance.now() > deadline)
      throw new HoldfastError('timeout', `Waited ${limitMs / 1000} s in vain for ${what}`, 'Run `lab down` and `lab up`.')
    await sleep(10)
  }
}

/** The command line that runs `argv` inside a machine that is on: in its cgroup, all its namespaces, with a clean environment. */
export async function enterArgv(state: LabState, host: string, argv: readonly string[]): Promise<string[]> {
  const { init, environment } = machineState(state, host)
  if (!init) throw new HoldfastError('busy', `${host} is off`, `Run \`lab fault ${host} power-on\` first.`)
  const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup']
  const variables = [
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'HOME=/root',
    'USER=root',
    'LANG=C.UTF-8',
    ...(process.env['TERM'] ? [`TERM=${process.env['TERM']}`] : []),
    ...environment,
  ]
  const enter = ['nsenter', '--target', String(init.pid), ...namespaces, '--', '/usr/bin/env', '-i', ...variables, ...argv]
  return ['sh', join(scriptsDir, 'in-cgroup.sh'), await cgroupOf(state.name, host), ...enter]
}
