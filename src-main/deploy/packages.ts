import { HoldfastError } from '../../core/errors.ts'
import type { SshConnection } from '../ssh/connection.ts'

/** Programs of the host's system that the agent uses, and the Debian packages they come in. */
const needed = [
  { program: 'etcd', package: 'etcd-server' },
  { program: 'lldpcli', package: 'lldpd' },
  { program: 'smartctl', package: 'smartmontools' },
  { program: 'ip', package: 'iproute2' },
  { program: 'ss', package: 'iproute2' },
  { program: 'ovs-vswitchd', package: 'openvswitch-switch' },
  { program: 'ethtool', package: 'ethtool' },
  { program: 'tcpdump', package: 'tcpdump' },
] as const

const missingScript = `
PATH="$PATH:/usr/sbin:/sbin"
for program in "$@"; do command -v "$program" >/dev/null || echo "$program"; done
`

/** Debian packages that the host lacks. */
export async function missingPackages(ssh: SshConnection): Promise<string[]> {
  const printed = await ssh.run(['sh', '-c', missingScript, 'sh', ...needed.map(({ program }) => program)])
  const missing = new Set(printed.split('\n'))
  return [...new Set(needed.filter(({ program }) => missing.has(program)).map((need) => need.package))]
}

/**
 * Installs packages without starting what they bring: while apt runs, a `policy-rc.d` of ours (unless the host has its own)
 * refuses all starts. Afterwards Debian's own etcd and Open vSwitch are kept off for good, since the agent runs its own with its own data,
 * and lldpd, which is to speak to the switches, is started.
 */
const installScript = `
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
mine=
if [ ! -e "$policy" ]; then
  mine=yes
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\\nexit 101\\n' > "$policy"
  chmod 755 "$policy"
fi
install() { apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"; }
install "$@" || { apt-get update; install "$@"; }
if [ -n "$mine" ]; then rm -f "$policy"; trap - EXIT; fi
for package in "$@"; do
  case "$package" in
    openvswitch-switch)
      if [ -d /run/systemd/system ]; then systemctl mask openvswitch-switch.service; else update-rc.d openvswitch-switch disable || true; fi ;;
    etcd-server)
      if [ -d /run/systemd/system ]; then systemctl mask etcd.service; else update-rc.d etcd disable || true; fi ;;
    lldpd)
      if [ -d /run/systemd/system ]; then systemctl enable --now lldpd.service; else service lldpd start; fi ;;
  esac
done
`

/** Installs Debian packages by apt-get, which may take minutes. Errors: `step-failed` with apt's last words. */
export async function installPackages(ssh: SshConnection, packages: readonly string[], signal: AbortSignal): Promise<void> {
  try {
    await ssh.run(['sh', '-c', installScript, 'sh', ...packages], { timeoutMs: 600_000, signal })
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'step-failed') throw error
    throw new HoldfastError('step-failed', error.message, `Install them by hand, then try again: apt-get install ${packages.join(' ')}`, error.data, {
      cause: error,
    })
  }
}
