import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { HoldfastError } from '../../core/errors.ts'
import { ipv4Schema, nameSchema } from '../../core/model/common.ts'

const port = z.number().int().min(1).max(65_535)
/** Linux names network interfaces with at most 15 bytes, no slash and no blank. */
const nicName = z.string().regex(/^[^\s/]{1,15}$/)

/** `/etc/holdfast/agent.json`: what this host is. Written by the installer, read by every process of the agent. */
export const agentConfigSchema = z.looseObject({
  /** Name of the cluster. */
  cluster: nameSchema,
  /** Name of this host. */
  host: nameSchema,
  addresses: z.looseObject({ mgmt: ipv4Schema, storage: ipv4Schema.optional(), tenant: ipv4Schema.optional() }),
  /** Interface that carries each plane. */
  nics: z.looseObject({ mgmt: nicName, storage: nicName.optional(), tenant: nicName.optional() }),
  /** The address that follows the leader, with its prefix length, on the mgmt plane. */
  clusterIp: z.cidrv4().optional(),
  apiPort: port.default(7443),
  heartbeatPort: port.default(7444),
  storePeerPort: port.default(2380),
  storeClientPort: port.default(2379),
})
export type AgentConfig = z.infer<typeof agentConfigSchema>

/** Every place of the agent on its host. */
export interface AgentPaths {
  config: string
  pki: string
  /** Written by `join` for the cluster module. */
  join: string
  /** What switches are read with by SNMP, if not `public`; written by the host's administrator. */
  snmpCommunity: string
  state: string
  run: string
  log: string
  /** Holds `versions/` and the symlinks `current` and `previous`. */
  opt: string
  /** Host names and certificate serials that are refused, written by the cluster module. */
  refused: string
}

/** The agent's places under a root directory, `/` unless HOLDFAST_ROOT says otherwise (tests). */
export function agentPaths(root: string = process.env.HOLDFAST_ROOT ?? '/'): AgentPaths {
  const state = join(root, 'var/lib/holdfast')
  return {
    config: join(root, 'etc/holdfast/agent.json'),
    pki: join(root, 'etc/holdfast/pki'),
    join: join(root, 'etc/holdfast/join.json'),
    snmpCommunity: join(root, 'etc/holdfast/snmp-community'),
    state,
    run: join(root, 'run/holdfast'),
    log: join(root, 'var/log/holdfast'),
    opt: join(root, 'opt/holdfast'),
    refused: join(state, 'refused.json'),
  }
}

/** Reads and checks `agent.json`. Throws `not-found` or `bad-input`. */
export function readConfig(paths: AgentPaths): AgentConfig {
  let text: string
  try {
    text = readFileSync(paths.config, 'utf8')
  } catch (cause) {
    throw new HoldfastError('not-found', `${paths.config} cannot be read`, 'Install this host again: holdfast host add.', {}, { cause })
  }
  return parseConfig(text, paths.config)
}

/** Checks a configuration. `from` names where it came from. Throws `bad-input`. */
export function parseConfig(text: string, from: string): AgentConfig {
  const parsed = agentConfigSchema.safeParse(parseJson(text))
  if (parsed.success) return parsed.data
  throw new HoldfastError(
    'bad-input',
    `${from} is not a configuration of an agent: ${z.prettifyError(parsed.error)}`,
    'Correct the fields named, or install this host again.',
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
