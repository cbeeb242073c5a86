import { HoldfastError } from '../core/errors.ts'
import { labCapture } from './lab.ts'
import { until } from './machine.ts'

/** A virtual router of VRRP version 3 (RFC 5798) with one floating address on eth0, in the words of keepalived.conf(5). */
export interface VirtualRouter {
  /** VRID, 1 to 255. */
  id: number
  /** 1 to 254; whoever has the highest is master. */
  priority: number
  /** Whole hundredths of a second. */
  advertIntervalMs: number
  /** The floating address, with prefix length. Of IPv6, adverts are of IPv6, too, to ff02::12. */
  address: string
  /** Whether it leaves the address to a master of lower priority that is there already (nopreempt). */
  yields?: boolean
  /** Whether the address has the virtual router's MAC 00:00:5e:00:01:ID (use_vmac), and not that of the NIC. */
  virtualMac?: boolean
  /** How long after it became master it announces the address for the second time (vrrp_garp_master_delay). */
  garpMasterDelaySeconds?: number
}

/** A machine or a light guest of a lab, as `labExec` knows it. */
export interface Place {
  name?: string
  host: string
}

/** A keepalived that was started. */
export interface Keepalived {
  place: Place
  /** Its two processes, the parent first, as numbered where they run. */
  pids: string[]
  logPath: string
}

/** The text of keepalived.conf for one virtual router. */
export function keepalivedConfig(router: VirtualRouter): string {
  const { id, priority, advertIntervalMs, address, virtualMac = false, yields = false, garpMasterDelaySeconds = 5 } = router
  return `global_defs {
  vrrp_version 3
  vrrp_garp_master_delay ${garpMasterDelaySeconds}
}
vrrp_instance lab {
  state BACKUP
  interface eth0
  virtual_router_id ${id}
  priority ${priority}
  advert_int ${advertIntervalMs / 1000}
${virtualMac ? '  use_vmac\n' : ''}${yields ? '  nopreempt\n' : ''}  virtual_ipaddress {
    ${address}
  }
}
`
}

/**
 * Starts keepalived with one virtual router, and returns when it runs. Its files are in a folder of its own: light guests share /run with their host.
 * Throws `step-failed` where it does not take the configuration, and `timeout` where it does not run, as when the same one does already.
 */
export async function startKeepalived(place: Place, router: VirtualRouter): Promise<Keepalived> {
  const directory = `/run/keepalived-${place.host}-${router.id}`
  const paths = { config: `${directory}/keepalived.conf`, pid: `${directory}/pid`, vrrpPid: `${directory}/vrrp.pid`, log: `${directory}/log` }
  await inside(place, ['mkdir', '-p', directory])
  await inside(place, ['tee', paths.config], keepalivedConfig(router))
  await inside(place, ['keepalived', '--config-test', `--use-file=${paths.config}`])
  const argv = ['keepalived', '--vrrp', '--dont-fork', '--log-console', '--log-detail']
  const files = [`--use-file=${paths.config}`, `--pid=${paths.pid}`, `--vrrp_pid=${paths.vrrpPid}`]
  await inside(place, ['setsid', '--fork', 'sh', '-c', 'exec "$@" >"$0" 2>&1 </dev/null', paths.log, ...argv, ...files])
  let pids: string[] = []
  const hasStarted = async (): Promise<boolean> => {
    pids = (await labCapture({ ...place, argv: ['cat', paths.pid, paths.vrrpPid] })).stdout.split('\n').filter(Boolean)
    return pids.length === 2 && (await labCapture({ ...place, argv: ['kill', '-0', ...pids] })).code === 0
  }
  await until(hasStarted, 20_000, `keepalived on ${place.host} (its log there: ${paths.log})`)
  return { place, pids, logPath: paths.log }
}

/**
 * Signals both processes of a keepalived, and returns when they are gone where they end by it. With `TERM` it gives its address up and ends. `KILL` and `STOP` leave the address where it is, as
 * when keepalived alone fails: that machine still answers for it. A whole machine fails by `labFault`.
 */
export async function signalKeepalived({ place, pids }: Keepalived, signal: 'TERM' | 'KILL' | 'STOP' | 'CONT'): Promise<void> {
  await inside(place, ['kill', `-${signal}`, ...pids])
  if (signal === 'STOP' || signal === 'CONT') return
  const isGone = async (pid: string): Promise<boolean> => (await labCapture({ ...place, argv: ['kill', '-0', pid] })).code !== 0
  for (const pid of pids) await until(() => isGone(pid), 20_000, `keepalived on ${place.host} to end`)
}

/** Whether an address (without prefix length) is on any interface of a machine or guest. */
export async function holdsAddress(place: Place, address: string): Promise<boolean> {
  const links = JSON.parse(await inside(place, ['ip', '-json', 'address', 'show'])) as { addr_info: { local?: string }[] }[]
  return links.some((link) => link.addr_info.some(({ local }) => local === address))
}

async function inside(place: Place, argv: string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await labCapture({ ...place, argv, ...(input === undefined ? {} : { input }) })
  if (code === 0) return stdout
  throw new HoldfastError('step-failed', `${argv.join(' ')} on ${place.host} exited ${code}: ${stderr.trim()}`, 'Look at that machine.')
}
