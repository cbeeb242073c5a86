import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { endProcess, identifyProcess, readPidFile, removePidFile, writePidFile, type ProcessId } from '../runtime/process.ts'
import { programEnv, runProgram } from '../runtime/programs.ts'
import { sameJson } from '../../core/sync/same-json.ts'

/** A light guest: namespaces of its own with one device, eth0. */
export interface Guest {
  /** Name of its port, which is also its host name. */
  name: string
  /** The host's end of its cable: at most 15 bytes. */
  device: string
  mac: string
  /** Addresses with prefix length, IPv4 first. */
  addresses: string[]
  /** Addresses with full prefix length that it has for now, beside its own: they come and go without touching those. */
  floating: string[]
  /** Default gateways, one a family at most. */
  gateways: string[]
  mtuBytes: number
}

const prefix = 'guest-'

/**
 * Process 1 of a guest: mounts what shows the guest's own namespaces, waits for ever, and takes in what its children leave behind. It
 * outlives the module, and ends by its pid file.
 */
const initScript = `
mount -t proc proc /proc && mount -t sysfs sysfs /sys && hostname "$1" || exit 1
while :; do sleep 86400 & wait; done
`

/** Process 1 of the light guest on a port, as this host counts; null: it does not run. */
export function guestInit(run: string, port: string): ProcessId | null {
  return readPidFile(join(run, `${prefix}${port}.pid`))
}

/** The guests of this host, kept as `/run/holdfast/guest-NAME.pid`, and what each was set up with as `guest-NAME.json`. */
export class Guests {
  readonly #run: string
  /** What each guest was set up with, by this process or one before it: to leave alone what is right already, and what the guest itself has made. */
  readonly #done = new Map<string, Guest>()
  #tookOver = false
  #turn: Promise<void> = Promise.resolve()

  constructor(run: string) {
    this.#run = run
  }

  /**
   * Makes exactly these guests run, with these cables, after what is under way. Throws `step-failed` for the first that could not be made; the
   * others are made all the same.
   */
  converge(wanted: readonly Guest[]): Promise<void> {
    const turn = this.#turn.then(() => this.#converge(wanted))
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  async #converge(wanted: readonly Guest[]): Promise<void> {
    this.#takeOver()
    const names = new Set(wanted.map((guest) => guest.name))
    await Promise.all(this.#present().map(async (name) => names.has(name) || (await this.#remove(name))))
    const results: PromiseSettledResult<void>[] = []
    for (let start = 0; start < wanted.length; start += 8) {
      results.push(...(await Promise.allSettled(wanted.slice(start, start + 8).map((guest) => this.#make(guest)))))
    }
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  /** What a process before this one has left; not before this one acts, for until then the other may change it. */
  #takeOver(): void {
    if (this.#tookOver) return
    this.#tookOver = true
    for (const name of this.#present()) {
      const guest = readSetup(this.#setupFile(name))
      if (guest) this.#done.set(name, guest)
    }
  }

  /** Whether all these guests run and have been plugged in by this process. */
  run(wanted: readonly Guest[]): boolean {
    return wanted.every(({ name }) => this.#done.has(name) && readPidFile(this.#pidFile(name)) !== null)
  }

  /** Names of guests with a pid file, dead ones too. */
  #present(): string[] {
    return readdirSync(this.#run).flatMap((file) => (file.startsWith(prefix) && file.endsWith('.pid') ? [file.slice(prefix.length, -4)] : []))
  }

  #pidFile(name: string): string {
    return join(this.#run, `${prefix}${name}.pid`)
  }

  #setupFile(name: string): string {
    return join(this.#run, `${prefix}${name}.json`)
  }

  async #remove(name: string): Promise<void> {
    const init = readPidFile(this.#pidFile(name))
    // Process 1 of a namespace takes everything in it along; the cable goes with the namespace.
    if (init) await endProcess(init, 0)
    rmSync(this.#setupFile(name), { force: true })
    removePidFile(this.#pidFile(name))
    this.#done.delete(name)
  }

  async #make(guest: Guest): Promise<void> {
    let init = readPidFile(this.#pidFile(guest.name))
    const before = init && this.#done.get(guest.name)
    if (init && before && sameJson(before, guest)) return
    if (!init) {
      await this.#remove(guest.name)
      init = await this.#boot(guest)
    }
    rmSync(this.#setupFile(guest.name), { force: true })
    if (before && canBeAltered(before, guest)) await alter(before, guest, init)
    else await this.#cable(guest, init)
    writeFileSync(this.#setupFile(guest.name), JSON.stringify(guest), { mode: 0o600 })
    this.#done.set(guest.name, guest)
  }

  async #boot(guest: Guest): Promise<ProcessId> {
    const child = spawn('unshare', ['--net', '--pid', '--mount', '--uts', '--ipc', '--fork', 'sh', '-c', initScript, 'init', guest.name], {
      detached: true,
      stdio: 'ignore',
      env: programEnv,
    })
    child.once('error', () => undefined)
    child.unref()
    const deadlineMs = performance.now() + 10_000
    while (child.pid !== undefined && performance.now() < deadlineMs && child.exitCode === null) {
      const init = childOf(child.pid)
      // Its own namespaces are there from its first instruction.
      if (init) {
        writePidFile(this.#pidFile(guest.name), init)
        return init
      }
      await sleep(5)
    }
    throw new Error(`the guest ${guest.name} could not be started`)
  }

  /** Plugs it in, or sets up anew what is plugged in already. */
  async #cable(guest: Guest, { pid }: ProcessId): Promise<void> {
    const { device, mac, mtuBytes } = guest
    const inside = (...argv: string[]): [string, ...string[]] => insideNetwork(pid, ...argv)
    const links = JSON.parse(await runProgram(inside('ip', '-json', 'link', 'show'))) as { ifname: string }[]
    if (!links.some((link) => link.ifname === 'eth0')) {
      await runProgram(['ip', '-force', '-batch', '-'], { input: `link delete dev ${device}\n` }).catch(() => undefined)
      await runProgram(['ip', 'link', 'add', 'name', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid)])
      // A switch in user space gets packets as they are: checksums left to hardware that is not there would be wrong for the receiver.
      await runProgram(inside('ethtool', '-K', 'eth0', 'tx', 'off'))
    }
    const lines = [
      'link set dev lo up',
      'address flush dev eth0',
      `link set dev eth0 down`,
      `link set dev eth0 address ${mac} mtu ${mtuBytes}`,
      `link set dev eth0 up`,
      ...guest.addresses.map(addOwn),
      ...guest.floating.map(addFloating),
      ...guest.gateways.map((gateway) => `route replace default via ${gateway} dev eth0`),
    ]
    await runProgram(inside('ip', '-batch', '-'), { input: `${lines.join('\n')}\n` })
    await runProgram(['ip', 'link', 'set', 'dev', device, 'mtu', String(mtuBytes), 'up'])
  }
}

function insideNetwork(pid: number, ...argv: string[]): [string, ...string[]] {
  return ['nsenter', '--target', String(pid), '--net', '--', ...argv]
}

/** `preferred_lft 0`: what the guest itself begins is to come from an address of its own. */
function addFloating(address: string): string {
  return `address replace ${address} dev eth0${address.includes(':') ? ' nodad preferred_lft 0' : ''}`
}

/** Whether one setup can become another without taking the link down, or what the guest itself has added: VRRP would fail over. */
function canBeAltered(before: Guest, guest: Guest): boolean {
  return before.device === guest.device && before.mac === guest.mac && before.mtuBytes === guest.mtuBytes && sameJson(before.gateways, guest.gateways)
}

/** Gives a guest that is plugged in other addresses than before. */
async function alter(before: Guest, guest: Guest, { pid }: ProcessId): Promise<void> {
  const unlike = (one: readonly string[], other: readonly string[]): string[] => one.filter((address) => !other.includes(address))
  const gone = [...unlike(before.addresses, guest.addresses), ...unlike(before.floating, guest.floating)].map(
    (address) => `address delete ${address} dev eth0`,
  )
  const come = [...unlike(guest.addresses, before.addresses).map(addOwn), ...unlike(guest.floating, before.floating).map(addFloating)]
  // Somebody in the guest may have taken it out already.
  if (gone.length > 0) await runProgram(insideNetwork(pid, 'ip', '-force', '-batch', '-'), { input: `${gone.join('\n')}\n` }).catch(() => undefined)
  // With a subnet's last address goes what was routed through it.
  come.push(...guest.gateways.map((gateway) => `route replace default via ${gateway} dev eth0`))
  await runProgram(insideNetwork(pid, 'ip', '-batch', '-'), { input: `${come.join('\n')}\n` })
}

function addOwn(address: string): string {
  return `address replace ${address} dev eth0${address.includes(':') ? ' nodad' : ''}`
}

/** What a guest was set up with; null where that is not known. */
function readSetup(path: string): Guest | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Guest
  } catch {
    return null
  }
}

/** The only child of `unshare --fork`: process 1 of its namespaces. */
function childOf(pid: number): ProcessId | null {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    return first ? identifyProcess(Number(first)) : null
  } catch {
    return null
  }
}
