import { createReadStream, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { Transform } from 'node:stream'
import { HoldfastError } from '../../core/errors.ts'
import type { SshConnection } from '../ssh/connection.ts'
import { places } from './places.ts'

/** The agent's tarball on the laptop. It unpacks to one directory named after its version. */
export interface AgentPackage {
  path: string
  version: string
  /** Hexadecimal. */
  sha256: string
}

/** Versions name directories on the host, so they must be plain. */
const versionPattern = /^[0-9A-Za-z][0-9A-Za-z.+_-]{0,99}$/

/** Bytes that a package takes on a host at most: the tarball and what it unpacks to, which gzip's last four bytes tell (RFC 1952, 2.3.1). */
export async function spaceNeeded(agent: AgentPackage): Promise<number> {
  const packed = statSync(agent.path).size
  await using file = await open(agent.path)
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4, packed - 4)
  return packed + buffer.readUInt32LE(0)
}

const receiveScript = `
set -e
umask 077
mkdir -p "$(dirname "$1")"
cat > "$1"
printf '%s  %s\\n' "$2" "$1" | sha256sum --check --status || { rm -f "$1"; echo 'the copy differs from the original' >&2; exit 1; }
`

/** Where a package waits on the host to be unpacked. */
const tarballPlace = (version: string) => `${places.opt}/upload/${version}.tar.gz`

/** Copies the package to the host and compares its SHA-256 there. A copy that is there already is kept if it is the same. */
export async function uploadPackage(
  ssh: SshConnection,
  agent: AgentPackage,
  progress: (fraction: number) => void,
  signal: AbortSignal,
): Promise<'skipped' | void> {
  if (!versionPattern.test(agent.version)) {
    throw new HoldfastError('bad-input', `${JSON.stringify(agent.version)} is no version of an agent`, 'Pack the agent again.')
  }
  if (await hasVersion(ssh, agent.version)) return 'skipped'
  const place = tarballPlace(agent.version)
  const same = await ssh.exec(['sh', '-c', `printf '%s  %s\\n' "$2" "$1" | sha256sum --check --status`, 'sh', place, agent.sha256])
  if (same.code === 0) return 'skipped'
  const total = statSync(agent.path).size
  let sent = 0
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sent += chunk.length
      progress(sent / total)
      done(null, chunk)
    },
  })
  const file = createReadStream(agent.path, { highWaterMark: 256 * 1024 })
  file.on('error', (error) => count.destroy(error))
  await ssh.run(['sh', '-c', receiveScript, 'sh', place, agent.sha256], { stdin: file.pipe(count), timeoutMs: 900_000, signal })
}

/** Unpacks beside and renames, so that a version's directory is whole or not there. */
const unpackScript = `
set -e
umask 022
tarball=$1 version=$2 versions=${places.versions}
partial=$versions/.$version.partial
rm -rf "$partial"
mkdir -p "$partial"
tar -xzf "$tarball" -C "$partial" --no-same-owner
[ "$(cat "$partial/$version/VERSION")" = "$version" ] || { echo "the package holds no $version" >&2; exit 1; }
sync -f "$partial"
mv -T "$partial/$version" "$versions/$version"
rm -rf "$partial" "$tarball"
rmdir "$(dirname "$tarball")" 2>/dev/null || true
`

/** Makes the version's directory out of the package that was uploaded. */
export async function unpackPackage(ssh: SshConnection, version: string, signal: AbortSignal): Promise<'skipped' | void> {
  if (await hasVersion(ssh, version)) return 'skipped'
  await ssh.run(['sh', '-c', unpackScript, 'sh', tarballPlace(version), version], { timeoutMs: 300_000, signal })
}

/** Whether a version's files are on the host. */
export async function hasVersion(ssh: SshConnection, version: string): Promise<boolean> {
  return (await ssh.exec(['test', '-e', `${places.versions}/${version}/VERSION`])).code === 0
}

/** Makes `current` point to a version, in one step. */
export async function pointCurrent(ssh: SshConnection, version: string): Promise<void> {
  const fresh = `${places.current}.new`
  await ssh.run(['sh', '-c', 'ln -sfn "$1" "$2" && mv -T "$2" "$3"', 'sh', `versions/${version}`, fresh, places.current])
}

/** Removes versions that nobody uses. Names come from the agent, so they are checked like any other input. */
export async function removeVersions(ssh: SshConnection, versions: readonly string[]): Promise<void> {
  const safe = versions.filter((version) => versionPattern.test(version))
  if (safe.length > 0) await ssh.run(['rm', '-rf', '--', ...safe.map((version) => `${places.versions}/${version}`)])
}

/** Writes a small file that only root may read, whole or not at all. */
export async function writeRemoteFile(ssh: SshConnection, path: string, content: string): Promise<void> {
  const script = 'set -e; umask 077; mkdir -p "$(dirname "$1")"; cat > "$1.new"; sync -d "$1.new"; mv -T "$1.new" "$1"'
  await ssh.run(['sh', '-c', script, 'sh', path], { stdin: content })
}

const serviceScript = `
set -e
from=${places.current}/service
if [ -d /run/systemd/system ]; then
  cp "$from/holdfast-agent.service" ${places.systemdUnit}
  chmod 644 ${places.systemdUnit}
  systemctl daemon-reload
  systemctl enable --now holdfast-agent.service
else
  cp "$from/holdfast-agent.init" ${places.initScript}
  chmod 755 ${places.initScript}
  for level in 2 3 4 5; do
    mkdir -p /etc/rc$level.d
    ln -sfn ../init.d/holdfast-agent /etc/rc$level.d/S20holdfast-agent
  done
  ${places.initScript} start
fi
`

/** Installs the service for the host's init system and starts it; started already, it stays. */
export async function startService(ssh: SshConnection): Promise<void> {
  await ssh.run(['sh', '-c', serviceScript])
}
