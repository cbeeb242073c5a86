import { z } from 'zod'
import { errorCodes, HoldfastError, type ErrorCode } from '../../core/errors.ts'
import { errorDocSchema } from '../../core/model/task.ts'
import type { SshConnection } from '../ssh/connection.ts'
import { commandFailed } from '../ssh/connection.ts'
import { isOursFunction, places } from './places.ts'

/** What lies on a host of an agent, whole or in parts. */
export interface AgentOnHost {
  /** An install began and did not end. */
  unfinished: boolean
  /** Cluster and host that it is configured for. */
  config: { cluster: string; host: string } | null
  /** Certificate of the CA that it trusts. */
  caPem: string | null
  /** It has a certificate of its cluster: `init` or `join` went through. */
  certified: boolean
  /** Configuration, certificates, program and service are all there. */
  whole: boolean
  /** Nothing at all is there. */
  absent: boolean
  /** Versions whose files are there. */
  versions: string[]
  /** Version that the service starts. */
  current: string | null
  running: boolean
}

const inspectScript = `
${isOursFunction}
[ -e ${places.marker} ] && echo 'unfinished'
[ -s ${places.config} ] && echo "config $(base64 -w0 ${places.config})"
[ -s ${places.caCertificate} ] && echo "ca $(base64 -w0 ${places.caCertificate})"
[ -s ${places.hostCertificate} ] && echo 'certificate'
[ -e ${places.systemdUnit} ] || [ -e ${places.initScript} ] && echo 'service'
[ -x ${places.current}/bin/node ] && echo "current $(basename "$(readlink -f ${places.current})")"
for place in ${places.opt} ${places.etc} ${places.state}; do [ -e "$place" ] && echo 'something'; done
for version in ${places.versions}/*/VERSION; do [ -e "$version" ] && echo "version $(basename "$(dirname "$version")")"; done
for process in /proc/[0-9]*; do is_ours "\${process#/proc/}" 2>/dev/null && echo 'running'; done
true
`

const configSchema = z.looseObject({ cluster: z.string(), host: z.string() })

/** Looks at what of an agent lies on a host. */
export async function inspectAgent(ssh: SshConnection): Promise<AgentOnHost> {
  return parseInspection(await ssh.run(['sh', '-c', inspectScript]))
}

/** Reads what `inspectScript` printed. A configuration that is no JSON counts as none. */
export function parseInspection(printed: string): AgentOnHost {
  const lines = printed.split('\n').map((line) => line.split(' ') as [string, string | undefined])
  const has = (key: string) => lines.some(([word]) => word === key)
  const value = (key: string) => lines.find(([word]) => word === key)?.[1]
  const decoded = (key: string) => (value(key) === undefined ? null : Buffer.from(value(key) ?? '', 'base64').toString('utf8'))
  const config = parseConfig(decoded('config'))
  const current = value('current') ?? null
  return {
    unfinished: has('unfinished'),
    config,
    caPem: decoded('ca'),
    certified: has('certificate'),
    whole: config !== null && has('ca') && has('certificate') && has('service') && current !== null,
    absent: !has('something') && !has('service') && !has('running'),
    versions: lines.flatMap(([word, version]) => (word === 'version' && version !== undefined ? [version] : [])),
    current,
    running: has('running'),
  }
}

function parseConfig(text: string | null): AgentOnHost['config'] {
  try {
    return configSchema.parse(JSON.parse(text ?? ''))
  } catch {
    return null
  }
}

/** The last lines of each of the agent's logs, for an error: taking the agent off the host takes its logs along. */
export async function readLogs(ssh: SshConnection): Promise<string> {
  const script = `for log in ${places.log}/*.log; do echo "== $log"; tail -n 12 "$log" | cut -c -400; done`
  return (await ssh.exec(['sh', '-c', script])).stdout.slice(-16_000)
}

/** Stops what runs and removes every file of the agent. Harmless where there is none, and where another run of it was cut off. */
const wipeScript = `
${isOursFunction}
if [ -d /run/systemd/system ]; then
  systemctl disable --now holdfast-agent.service 2>/dev/null
  rm -f ${places.systemdUnit}
  systemctl daemon-reload
fi
if [ -e ${places.initScript} ]; then
  timeout 20 ${places.initScript} stop
  rm -f ${places.initScript} /etc/rc?.d/[SK][0-9][0-9]holdfast-agent
fi
if [ -x ${places.current}/bin/node ]; then timeout 30 ${places.current}/bin/node ${places.current}/supervisor.mjs leave; fi
ours() { for process in /proc/[0-9]*; do is_ours "\${process#/proc/}" 2>/dev/null && echo "\${process#/proc/}"; done; }
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  pids=$(ours)
  [ -z "$pids" ] && break
  if [ "$attempt" -lt 6 ]; then kill -TERM $pids 2>/dev/null; else kill -KILL $pids 2>/dev/null; fi
  sleep 0.3
done
rm -rf ${places.opt} ${places.etc} ${places.state} ${places.log} ${places.run}
left=$(ours)
[ -z "$left" ] || { echo "processes of the agent do not end: $left" >&2; exit 1; }
for place in ${places.opt} ${places.etc} ${places.state}; do [ ! -e "$place" ] || rmdir "$place" 2>/dev/null || [ -z "$(ls -A "$place" 2>/dev/null)" ] || exit 1; done
`

/** Takes the agent off a host: service, processes (its etcd too), programs, configuration, keys and state. */
export async function wipeAgent(ssh: SshConnection): Promise<void> {
  await ssh.run(['sh', '-c', wipeScript], { timeoutMs: 90_000 })
}

/**
 * Runs a command of the agent's program on the host: `init`, `join` or `admit`. What it needs goes in by stdin, so that no token shows in a
 * list of processes. Its own error (`ErrorDoc` on the last line of stderr) is thrown as it is.
 */
export async function runAgentCommand<T>(
  ssh: SshConnection,
  command: 'init' | 'join' | 'admit',
  input: unknown,
  answer: z.ZodType<T>,
  signal?: AbortSignal,
): Promise<T> {
  const argv = [`${places.current}/bin/node`, `${places.current}/supervisor.mjs`, command]
  const result = await ssh.exec(argv, { stdin: JSON.stringify(input), timeoutMs: 90_000, ...(signal && { signal }) })
  if (result.code === 0) return answer.parse(JSON.parse(result.stdout))
  throw errorOf(result.stderr) ?? commandFailed(ssh.label, ['the agent’s program', command], result)
}

function errorOf(stderr: string): HoldfastError | null {
  try {
    const doc = errorDocSchema.parse(JSON.parse(stderr.trim().split('\n').at(-1) ?? ''))
    return Object.hasOwn(errorCodes, doc.code) ? new HoldfastError(doc.code as ErrorCode, doc.message, doc.hint, doc.data) : null
  } catch {
    return null
  }
}
