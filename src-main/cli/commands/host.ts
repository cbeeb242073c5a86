import { sshTargetSchema, type SshTarget } from '../../../core/contract/desktop/host.ts'
import { HoldfastError } from '../../../core/errors.ts'
import { followTask } from '../follow.ts'
import { option, secretFromFile, wholeNumber } from '../options.ts'
import { UsageError } from '../parse.ts'
import { withServices } from '../services.ts'
import type { Call } from '../table.ts'

/** `host key ADDRESS [--accept FINGERPRINT]`. */
export async function key(call: Call): Promise<void> {
  const place = { address: call.args[0] ?? '', port: wholeNumber(call, 'port') ?? 22, ...jumpOf(call) }
  const fingerprint = option(call, 'accept')
  await withServices(call, async ({ desktop }) => {
    if (fingerprint !== undefined) await desktop.host.acceptKey({ ...place, fingerprint })
    const shown = await desktop.host.hostKey(place)
    const pinned = { yes: 'pinned', no: 'not pinned yet', changed: 'NOT the one that is pinned: it has changed' }[shown.pinned]
    call.out.answer(shown, () => `${place.address}:${place.port}  ${shown.algorithm}  ${shown.fingerprint}\n${pinned}`)
  })
}

/** `host add NAME --address IP …`. */
export async function add(call: Call): Promise<number> {
  const [name = ''] = call.args
  const mgmt = option(call, 'address')
  if (mgmt === undefined) throw new UsageError('--address is missing: the host’s address on the mgmt plane', 'See: holdfast host add --help')
  const clusterName = option(call, 'new-cluster')
  const clusterIp = option(call, 'cluster-ip')
  if (clusterIp !== undefined && clusterName === undefined)
    throw new UsageError('--cluster-ip goes with --new-cluster', 'See: holdfast host add --help')
  const [storage, tenant, fingerprint] = [option(call, 'storage'), option(call, 'tenant'), option(call, 'fingerprint')]
  const input = {
    name,
    target: targetOf(call, mgmt),
    addresses: { mgmt, ...(storage === undefined ? {} : { storage }), ...(tenant === undefined ? {} : { tenant }) },
    ...(fingerprint === undefined ? {} : { fingerprint }),
    ...(clusterName === undefined ? {} : { newCluster: { name: clusterName, ...(clusterIp === undefined ? {} : { clusterIp }) } }),
  }
  return await withServices(call, async (services) => await followTask(services, await services.desktop.host.add(input), call.out))
}

/** `host remove NAME`. */
export async function remove(call: Call): Promise<number> {
  return await withServices(
    call,
    async (services) => await followTask(services, await services.desktop.host.remove({ name: call.args[0] ?? '' }), call.out),
  )
}

/** `host upgrade NAME`. */
export async function upgrade(call: Call): Promise<number> {
  return await withServices(
    call,
    async (services) => await followTask(services, await services.desktop.host.upgrade({ name: call.args[0] ?? '' }), call.out),
  )
}

/** How a host is reached by SSH, by the options of the command. */
export function targetOf(call: Call, mgmt: string): SshTarget {
  const password = secretFromFile(call, 'password-file')
  const passphrase = secretFromFile(call, 'key-passphrase-file')
  const path = option(call, 'key')
  if (password !== undefined && path !== undefined) throw new UsageError('--password-file and --key exclude each other', 'Give one of them.')
  const target = sshTargetSchema.safeParse({
    address: option(call, 'ssh') ?? mgmt,
    port: wholeNumber(call, 'port'),
    user: option(call, 'user'),
    auth: password !== undefined ? { type: 'password', password } : path !== undefined ? { type: 'key', path, passphrase } : { type: 'agent' },
    ...jumpOf(call),
  })
  if (target.success) return target.data
  const [issue] = target.error.issues
  throw new HoldfastError('bad-input', `${issue?.path.join('.')}: ${issue?.message}`, 'Correct that option.')
}

function jumpOf(call: Call): Pick<SshTarget, 'jump'> {
  const text = option(call, 'jump')
  if (text === undefined) return {}
  const [, user = 'root', address = '', port = '22'] = /^(?:([^@]+)@)?(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(text) ?? []
  const keyPath = option(call, 'jump-key') ?? option(call, 'key')
  if (address === '') throw new UsageError(`--jump wants USER@HOST:PORT, not ${JSON.stringify(text)}`, 'User and port may be left out.')
  if (keyPath === undefined) throw new UsageError('--jump needs --jump-key', 'Name the private key for the jump host.')
  return { jump: { address: address.replace(/^\[|\]$/g, ''), port: Number(port), user, keyPath } }
}
