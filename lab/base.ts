import { createHash } from 'node:crypto'
import { cp, mkdir, readFile, readdir, rename, rm, stat, symlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { HoldfastError } from '../core/errors.ts'
import { makeDir, makeFile } from './exact.ts'
import { withLock } from './lock.ts'
import { run } from './run.ts'
import { labNames, readState } from './state.ts'

/** Debian packages that lab hosts and switches have beyond what the machine itself has. */
export const basePackages = [
  'openssh-server',
  'etcd-server',
  'etcd-client',
  'lldpd',
  'snmpd',
  'snmp',
  'iputils-ping',
  'iputils-arping',
  'smartmontools',
  'libfaketime',
  'tcpdump',
  'ethtool',
  'tini',
  'keepalived',
  'conntrackd',
  'iproute2',
  'procps',
  'openvswitch-switch',
  'openvswitch-common',
] as const

/** What a machine's /etc gives to its lab hosts: names, accounts, libraries, certificates; nothing secret, nothing that is the machine's own. */
const sharedEtc = [
  'alternatives', 'bash.bashrc', 'bindresvport.blacklist', 'ca-certificates.conf', 'debian_version', 'dpkg', 'ethertypes', 'gai.conf', 'group',
  'host.conf', 'inputrc', 'iproute2', 'issue', 'ld.so.cache', 'ld.so.conf', 'ld.so.conf.d', 'localtime', 'login.defs', 'networks', 'nsswitch.conf',
  'os-release', 'pam.conf', 'pam.d', 'passwd', 'perl', 'profile', 'profile.d', 'protocols', 'python3', 'rpc', 'security/limits.conf', 'services',
  'shells', 'skel', 'ssl/certs', 'ssl/openssl.cnf', 'terminfo', 'timezone', 'xattr.conf',
] // prettier-ignore

/** Accounts that the packages' installation scripts would have made: name, user and group id, home. */
const accounts = [
  ['sshd', 951, '/run/sshd'],
  ['_lldpd', 952, '/run/lldpd'],
  ['Debian-snmp', 953, '/var/lib/snmp'],
  ['etcd', 954, '/var/lib/etcd'],
  ['keepalived_script', 955, '/var/lib/keepalived'],
  ['tcpdump', 956, '/nonexistent'],
] as const

/** Programs that Debian reaches through an alternative that an installation script sets. */
const alternatives = [['usr/sbin/ovs-vswitchd', '../lib/openvswitch-switch/ovs-vswitchd']] as const

const directories = [
  'boot', 'dev', 'etc/lab', 'etc/rc2.d', 'etc/init.d', 'etc/snmp', 'etc/ssh', 'etc/default', 'home', 'media', 'mnt', 'opt', 'proc', 'run', 'srv', 'sys', 'usr',
  'var/backups', 'var/cache', 'var/lib/snmp', 'var/lib/etcd', 'var/lib/lldpd', 'var/lib/dpkg/info', 'var/lib/dpkg/updates', 'var/local', 'var/log', 'var/mail',
  'var/spool', 'etc/lldpd.d', 'etc/systemd/system',
] // prettier-ignore

/** The folder of everything that is fetched or built once: `${XDG_CACHE_HOME:-~/.cache}/holdfast`. */
export function cacheDir(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'holdfast')
}

const layerPrefix = 'lab-base-'

/** Says what is being done, one line a step. */
export type OnStep = (line: string) => void

/**
 * The base layer of every lab machine, made if it is not there: answers its directory, which holds `root/` (all but /usr) and `usr/`
 * (laid over the machine's own /usr). Its name changes with the machine's installed packages and with this recipe.
 * Nothing is installed or started on the machine. Errors: `step-failed` when a package cannot be had.
 */
export async function ensureBaseLayer(onStep: OnStep): Promise<string> {
  const key = createHash('sha256')
    .update(await readFile(import.meta.filename))
    .update(await readFile('/var/lib/dpkg/status'))
    .digest('hex')
  const dir = join(cacheDir(), `${layerPrefix}${key.slice(0, 16)}`)
  if (await exists(dir)) return dir
  return withLock('base', () => build(dir, onStep))
}

async function build(dir: string, onStep: OnStep): Promise<string> {
  // Another lab may have made it while we waited.
  if (await exists(dir)) return dir
  onStep(`Making the lab's base layer: ${basePackages.length} packages and what they need are fetched and unpacked beside the system, not installed`)
  const debs = await fetchPackages(onStep)
  const building = `${dir}.tmp`
  await rm(building, { recursive: true, force: true })
  await unpack(debs, building)
  await rename(building, dir)
  await removeOldLayers(dir)
  return dir
}

/** Removes layers of earlier recipes or system states that no lab runs on. */
async function removeOldLayers(current: string): Promise<void> {
  const states = await Promise.all((await labNames()).map(readState))
  const kept = [current, ...states.map((state) => state?.baseDir)]
  for (const name of await readdir(cacheDir())) {
    const path = join(cacheDir(), name)
    if (name.startsWith(layerPrefix) && !kept.includes(path)) await rm(path, { recursive: true, force: true })
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/** The packages of a simulated installation that apt would install or upgrade, as `name=version`: lines `Inst NAME [OLD] (NEW …)` of apt-get -s. */
export function parseSimulatedInstall(output: string): { name: string; version: string }[] {
  return [...output.matchAll(/^Inst (\S+) (?:\[\S+\] )?\((\S+) /gm)].map(([, name = '', version = '']) => ({ name, version }))
}

async function fetchPackages(onStep: OnStep): Promise<string[]> {
  const lists = await readdir('/var/lib/apt/lists').catch(() => [])
  const update = async (why: string): Promise<void> => {
    onStep(`Refreshing apt's package lists (apt-get update): ${why}`)
    await run(['apt-get', 'update', '-q'])
  }
  let fresh = false
  if (!lists.some((name) => name.includes('_Packages'))) {
    await update('this machine has none')
    fresh = true
  }
  const simulate = async (): Promise<{ name: string; version: string }[]> =>
    parseSimulatedInstall(await run(['apt-get', 'install', '--simulate', '--no-install-recommends', ...basePackages]))
  const download = async (): Promise<string[]> => {
    const packages = await simulate()
    const dir = join(cacheDir(), 'lab-packages')
    await mkdir(dir, { recursive: true })
    onStep(`Fetching ${packages.length} packages`)
    if (packages.length > 0) await run(['apt-get', 'download', '-q', ...packages.map(({ name, version }) => `${name}=${version}`)], { cwd: dir })
    const files = await readdir(dir)
    const debs = packages.map(({ name, version }) => {
      const file = files.find((candidate) => candidate.startsWith(`${name}_${version.replace(':', '%3a')}_`))
      if (!file)
        throw new HoldfastError('step-failed', `apt-get download brought no file for ${name} ${version}`, 'Run `apt-get update` and try again.')
      return join(dir, file)
    })
    // What an earlier layer needed and this one does not.
    for (const file of files) if (!debs.includes(join(dir, file))) await rm(join(dir, file), { recursive: true, force: true })
    return debs
  }
  try {
    return await download()
  } catch (error) {
    if (fresh) throw error
    await update('a package of the lists that this machine has could not be fetched')
    return download()
  }
}

async function unpack(debs: readonly string[], dir: string): Promise<void> {
  const root = join(dir, 'root')
  await makeDir(root)
  for (const deb of debs) await run(['dpkg', '-x', deb, root])
  // Debian 12 has /bin, /lib and /sbin inside /usr; packages still ship files under the old names.
  for (const name of ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']) {
    const from = join(root, name)
    if (await exists(from)) await cp(from, join(root, 'usr', name), { recursive: true, verbatimSymlinks: true })
    await rm(from, { recursive: true, force: true })
    if (await exists(join('/usr', name))) await symlink(`usr/${name}`, from)
  }
  for (const [link, target] of alternatives) {
    if (!(await exists(join(root, link)))) await symlink(target, join(root, link))
  }
  await rename(join(root, 'usr'), join(dir, 'usr'))
  for (const name of directories) await makeDir(join(root, name))
  await makeDir(join(root, 'root'), 0o700)
  for (const name of ['tmp', 'var/tmp']) await makeDir(join(root, name), 0o1777)
  await symlink('/run', join(root, 'var/run'))
  await symlink('/run/lock', join(root, 'var/lock'))
  for (const name of sharedEtc) {
    if (await exists(join('/etc', name))) {
      await makeDir(dirname(join(root, 'etc', name)))
      await run(['cp', '-a', '-T', join('/etc', name), join(root, 'etc', name)])
    }
  }
  await makeFile(join(root, 'etc/resolv.conf'), '')
  await symlink('/proc/mounts', join(root, 'etc/mtab'))
  await writeAccounts(join(root, 'etc'))
  await writePackageList(debs, join(root, 'var/lib/dpkg/status'))
}

/** Lines of the machine's account file that are system accounts (id below 1000 or nobody's), without those that we add. */
export function systemAccounts(file: string): string[] {
  const ours: readonly string[] = accounts.map(([name]) => name)
  return file.split('\n').filter((line) => {
    const [name = '', , id = ''] = line.split(':')
    return line !== '' && (Number(id) < 1000 || Number(id) >= 65534) && !ours.includes(name)
  })
}

async function writeAccounts(etc: string): Promise<void> {
  const users = systemAccounts(await readFile('/etc/passwd', 'utf8'))
  const groups = systemAccounts(await readFile('/etc/group', 'utf8')).map((line) => line.replace(/[^:]*$/, ''))
  for (const [name, id, home] of accounts) {
    users.push(`${name}:x:${id}:${id}::${home}:/usr/sbin/nologin`)
    groups.push(`${name}:x:${id}:`)
  }
  await makeFile(join(etc, 'passwd'), `${users.join('\n')}\n`)
  await makeFile(join(etc, 'group'), `${groups.join('\n')}\n`)
  const shadow = users.map((line) => `${line.split(':')[0]}:*:20000:0:99999:7:::`)
  await makeFile(join(etc, 'shadow'), `${shadow.join('\n')}\n`, 0o600)
}

/** dpkg's list of what a lab host has: the machine's own and the unpacked packages, so that versions can be asked there as on any host. */
async function writePackageList(debs: readonly string[], path: string): Promise<void> {
  const added = new Map<string, string>()
  for (const deb of debs) {
    const control = (await run(['dpkg-deb', '-f', deb])).trim()
    const name = /^Package: (.*)$/m.exec(control)?.[1] ?? ''
    added.set(
      name,
      control.replace(/^Package: .*$/m, (line) => `${line}\nStatus: install ok installed`),
    )
  }
  const own = (await readFile('/var/lib/dpkg/status', 'utf8')).trim().split(/\n\n+/)
  const kept = own.filter((stanza) => !added.has(/^Package: (.*)$/m.exec(stanza)?.[1] ?? ''))
  await makeFile(path, `${[...kept, ...added.values()].join('\n\n')}\n`)
}
