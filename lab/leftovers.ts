import { access, readFile, readdir, rmdir } from 'node:fs/promises'
import { basename } from 'node:path'
import { restoreBacklog } from './backlog.ts'
import { detachDisks } from './disks.ts'
import { withLock } from './lock.ts'
import { cgroup2Dir, cgroupOf, killLab, until } from './machine.ts'
import { fallbackRoute } from './network.ts'
import { planLab } from './plan.ts'
import { capture, run } from './run.ts'
import { labDir, labNames, labsDir, readState } from './state.ts'

/** Mount points at or below `dir` in /proc/PID/mountinfo, deepest and latest first, so that they can be unmounted in this order. Octal escapes as in proc(5). */
export function mountsBelow(mountinfo: string, dir: string): string[] {
  return mountinfo
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))))
    .filter((path) => path === dir || path.startsWith(`${dir}/`))
    .reverse()
}

/**
 * Of the command lines, those of `losetup` and `mount` that name something below `dir`. Where a lab was killed while it was made,
 * its last such command outlives it for a moment: a disk that it attaches after all others were released would be nobody's.
 */
export function commandsOn(commandLines: readonly string[][], dir: string): string[][] {
  return commandLines.filter(
    ([program = '', ...args]) => ['losetup', 'mount'].includes(basename(program)) && args.some((arg) => arg === dir || arg.startsWith(`${dir}/`)),
  )
}

/** The arguments of every process of the machine, as in /proc/PID/cmdline. A process that has just ended is left out. */
async function commandLines(): Promise<string[][]> {
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return lines.map((line) => line.split('\0'))
}

/**
 * Ends and removes everything of a lab, running or left over: its processes (with them go namespaces, links and pinned programs),
 * loop devices, mounts, cgroups and directory; with the last lab, what labs have changed of the machine. Touches nothing else. Answers whether there was anything.
 */
export async function removeLab(name: string): Promise<boolean> {
  const dir = labDir(name)
  const cgroup = await cgroupOf(name)
  const there = await Promise.all(
    [dir, cgroup].map((path) =>
      access(path).then(
        () => true,
        () => false,
      ),
    ),
  )
  if (!there.includes(true)) return false
  const state = await readState(name)
  await killLab(name)
  if (state) {
    // The laptop's NIC goes with its peer in the switch; waiting for it is waiting for the namespaces.
    const { nic } = planLab(state.slot, 1).laptop
    await until(async () => !(await readdir('/sys/class/net')).includes(nic), 10_000, `${nic} to go`)
    // Not there if the lab was killed before it was wired.
    await capture(['ip', 'route', 'del', ...fallbackRoute(planLab(state.slot, 1)).split(' ')])
  }
  await until(async () => commandsOn(await commandLines(), dir).length === 0, 10_000, `what the lab began on ${dir} to be over`)
  await detachDisks(name)
  for (const path of mountsBelow(await readFile('/proc/self/mountinfo', 'utf8'), dir)) await unmount(path)
  // Only empty directories are removed, so nothing is lost if an unmount did not take; rmdir then says so.
  await rmdir(dir).catch(ignoreMissing)
  await withLock('slots', restoreBacklog)
  for (const parent of [labsDir, `${await cgroup2Dir()}/holdfast-lab`]) await rmdir(parent).catch(() => undefined)
  return true
}

async function unmount(path: string): Promise<void> {
  const deadline = performance.now() + 2000
  while (performance.now() < deadline) {
    if ((await capture(['umount', path])).code === 0) return
  }
  // Somebody's shell stands in it: it is detached now and freed when they leave.
  await run(['umount', '--lazy', path])
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

/** Slots of all labs but this one. */
export async function slotsOfOthers(name: string): Promise<number[]> {
  const states = await Promise.all((await labNames()).filter((other) => other !== name).map(readState))
  return states.flatMap((state) => (state ? [state.slot] : []))
}
