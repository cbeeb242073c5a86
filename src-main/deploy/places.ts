/** Where the agent lies on a host, as docs/architecture.md says. */
export const places = {
  versions: '/opt/holdfast/versions',
  current: '/opt/holdfast/current',
  opt: '/opt/holdfast',
  etc: '/etc/holdfast',
  config: '/etc/holdfast/agent.json',
  caCertificate: '/etc/holdfast/pki/ca.crt',
  hostCertificate: '/etc/holdfast/pki/host.crt',
  state: '/var/lib/holdfast',
  log: '/var/log/holdfast',
  run: '/run/holdfast',
  /** Lies there from the first change of an install until its last step is done. */
  marker: '/etc/holdfast/installing',
  systemdUnit: '/etc/systemd/system/holdfast-agent.service',
  initScript: '/etc/init.d/holdfast-agent',
} as const

/** Where an agent answers laptops and other hosts. */
export const apiPort = 7443

/** Ports that the agent listens on (`agentConfigSchema`). */
export const agentPorts = [
  { protocol: 'tcp', port: apiPort, use: 'the agent’s API' },
  { protocol: 'udp', port: 7444, use: 'heartbeats' },
  { protocol: 'tcp', port: 2379, use: 'the cluster’s store, clients' },
  { protocol: 'tcp', port: 2380, use: 'the cluster’s store, peers' },
] as const

/**
 * A shell function that tells whether a process is the agent's: its program lies in the agent's place, or it is an etcd on the
 * agent's data, or the launcher script. Patterns are anchored, so that a shell that merely quotes these paths is not taken for one.
 */
export const isOursFunction = `
is_ours() {
  exe=$(readlink "/proc/$1/exe") || return 1
  words=$(tr '\\0' ' ' < "/proc/$1/cmdline") || return 1
  case "$exe" in
    /opt/holdfast/*) return 0 ;;
    */etcd) case "$words" in */var/lib/holdfast/*) return 0 ;; esac ;;
    */dash|*/bash|*/sh) case "$words" in sh\\ /opt/holdfast/*|/bin/sh\\ /opt/holdfast/*|bash\\ /opt/holdfast/*|/bin/bash\\ /opt/holdfast/*) return 0 ;; esac ;;
  esac
  return 1
}
`
