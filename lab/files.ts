import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDir, makeFile } from './exact.ts'
import { hostNetworkLines } from './network.ts'
import type { HostPlan, LabPlan, SwitchPlan } from './plan.ts'
import { newSshKey } from './ssh-key.ts'
import { labDir, machineDir } from './state.ts'

const scriptsDir = join(import.meta.dirname, 'machine')

/** The lab's SSH key: opens every host as root. */
export function sshKeyPath(lab: string): string {
  return join(labDir(lab), 'ssh_key')
}

/** File with the root password of every host, for tests of password authentication. */
export function rootPasswordPath(lab: string): string {
  return join(labDir(lab), 'root_password')
}

/** Makes the key pair of the lab and its root password, each readable by root alone. */
export async function makeLabSecrets(lab: string): Promise<void> {
  const key = newSshKey(`holdfast-lab-${lab}`)
  await writeFile(sshKeyPath(lab), key.private, { mode: 0o600 })
  await writeFile(`${sshKeyPath(lab)}.pub`, `${key.public}\n`, { mode: 0o600 })
  await writeFile(rootPasswordPath(lab), `${randomBytes(18).toString('base64url')}\n`, { mode: 0o600 })
}

/** Fingerprint of an OpenSSH public key line as ssh-keygen -l prints it: `SHA256:…`. */
export function sshFingerprint(publicKey: string): string {
  const blob = Buffer.from(publicKey.split(' ')[1] ?? '', 'base64')
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}

/** A file of a machine's own system disk, where it lies on the outside while /usr is not concerned. */
export function diskPath(lab: string, machine: string, path: string): string {
  return join(machineDir(lab, machine), 'root/upper', path)
}

async function put(lab: string, machine: string, path: string, content: string, mode?: number): Promise<void> {
  await makeFile(diskPath(lab, machine, path), content, mode)
}

async function makeSystemDisk(lab: string, machine: string, init: string): Promise<void> {
  const dir = machineDir(lab, machine)
  for (const name of ['root/upper', 'root/work', 'usr/upper', 'usr/work', 'mnt']) await makeDir(join(dir, name))
  await put(lab, machine, 'etc/hostname', `${machine}\n`)
  await put(lab, machine, 'etc/machine-id', `${randomBytes(16).toString('hex')}\n`, 0o444)
  await put(
    lab,
    machine,
    'etc/lldpd.d/holdfast-lab.conf',
    'configure lldp tx-interval 1\nconfigure lldp tx-hold 4\nconfigure lldp portidsubtype ifname\n',
  )
  await put(lab, machine, 'etc/lab/init', await readFile(join(scriptsDir, init), 'utf8'))
}

const sshdConfig = `Port 22
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
MaxStartups 100
MaxSessions 100
PermitUserEnvironment yes
Subsystem sftp internal-sftp
`

/** Lays out a new host's system disk: its name, keys, network and what starts at boot. */
export async function makeHostDisk(lab: string, plan: LabPlan, host: HostPlan): Promise<void> {
  await makeSystemDisk(lab, host.name, 'host-init')
  const names = plan.hosts.map(({ name, nics }) => `${nics.mgmt.address} ${name}`)
  await put(lab, host.name, 'etc/hosts', ['127.0.0.1 localhost', '::1 localhost', ...names, ''].join('\n'))
  await put(lab, host.name, 'etc/lab/network', `${hostNetworkLines(host).join('\n')}\n`)
  await put(lab, host.name, 'etc/lab/root-password', await readFile(rootPasswordPath(lab), 'utf8'), 0o600)
  const key = newSshKey(`root@${host.name}`)
  await put(lab, host.name, 'etc/ssh/ssh_host_ed25519_key', key.private, 0o600)
  await put(lab, host.name, 'etc/ssh/ssh_host_ed25519_key.pub', `${key.public}\n`)
  await put(lab, host.name, 'etc/ssh/sshd_config', sshdConfig)
  await makeDir(diskPath(lab, host.name, 'root'), 0o700)
  await put(lab, host.name, 'root/.ssh/authorized_keys', await readFile(`${sshKeyPath(lab)}.pub`, 'utf8'), 0o600)
}

/** Lays out the system disk of an added machine: its name, and lines of ip(8) with which it sets up its own NIC at boot. */
export async function makeAddedDisk(lab: string, machine: string, networkLines: readonly string[]): Promise<void> {
  await makeSystemDisk(lab, machine, 'added-init')
  await put(lab, machine, 'etc/hosts', `127.0.0.1 localhost ${machine}\n::1 localhost\n`)
  await put(lab, machine, 'etc/lab/network', `${networkLines.join('\n')}\n`)
}

/** Public host key of a host, as it lies on its system disk. */
export async function hostPublicKey(lab: string, host: string): Promise<string> {
  return readFile(diskPath(lab, host, 'etc/ssh/ssh_host_ed25519_key.pub'), 'utf8')
}

/** Lays out a new switch's system disk. */
export async function makeSwitchDisk(lab: string, plan: SwitchPlan): Promise<void> {
  await makeSystemDisk(lab, plan.name, 'switch-init')
  await put(
    lab,
    plan.name,
    'etc/snmp/snmpd.conf',
    `agentaddress udp:${plan.address}:161
rocommunity public
sysName ${plan.name}
sysDescr Holdfast lab switch
include_ifmib_iface_prefix swp br
master agentx
agentXSocket /run/agentx
pass_persist .1.3.6.1.2.1.17 /usr/bin/perl /etc/lab/bridge-mib
`,
  )
  await put(lab, plan.name, 'etc/lab/bridge-mib', await readFile(join(scriptsDir, 'bridge-mib'), 'utf8'))
}
