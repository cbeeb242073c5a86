import { readFileSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import ssh2, { type ConnectConfig } from 'ssh2'
import type { SshTarget } from '../../core/contract/desktop/host.ts'
import { HoldfastError } from '../../core/errors.ts'
import { strongAlgorithms } from './algorithms.ts'
import { SshConnection } from './connection.ts'
import { describeHostKey, type HostKey, type HostKeys } from './host-keys.ts'

/** From the first packet to the end of authentication; a host under full load takes its time over the key exchange. */
const connectTimeoutMs = 20_000

/** A TCP stream through a jump host. */
type Via = Duplex | undefined

/**
 * Connects and authenticates. Before anything is sent to the server its host key must be the pinned one, or, where none is
 * pinned, the one whose fingerprint the person accepted; that one is then pinned.
 * Errors: `host-unreachable`, `timeout`, `host-key-unknown`, `host-key-changed`, `ssh-auth-failed`, `not-found` (key file).
 */
export async function connectSsh(
  target: SshTarget,
  hostKeys: HostKeys,
  options: { acceptedFingerprint?: string | undefined; via?: Via } = {},
): Promise<SshConnection> {
  const credentials = credentialsOf(target)
  const { address, port } = target
  const label = `${target.user}@${address}:${port}`
  const pinned = hostKeys.pinned(address, port)
  return await new Promise<SshConnection>((resolve, reject) => {
    const client = new ssh2.Client()
    let refusal: HoldfastError | undefined
    client.on('keyboard-interactive', (_name, _instructions, _language, prompts, answer) => {
      // Servers that ask for the password this way ask once; anything else (a code, say) we cannot answer.
      answer(prompts.length === 1 && target.auth.type === 'password' ? [target.auth.password] : [])
    })
    client.once('ready', () => {
      client.removeAllListeners('error')
      resolve(new SshConnection(client, label))
    })
    client.on('error', (error: Error & { level?: string; code?: string }) => {
      client.destroy()
      reject(refusal ?? explain(error, target))
    })
    client.once('close', () => reject(refusal ?? explain(new Error('the server closed the connection'), target)))
    client.connect({
      ...base(target, options.via),
      ...credentials,
      algorithms: strongAlgorithms(pinned?.algorithm),
      hostVerifier: (blob: Buffer) => {
        const shown = describeHostKey(blob)
        refusal = refuse(address, port, shown, pinned, options.acceptedFingerprint)
        if (refusal) return false
        if (!pinned) hostKeys.pin(address, port, shown)
        return true
      },
    })
  })
}

/** The host key that a server shows. The connection ends there: no name, no secret is sent. */
export async function scanHostKey(address: string, port: number, pinned: HostKey | null, via?: Via): Promise<HostKey> {
  return await new Promise<HostKey>((resolve, reject) => {
    const client = new ssh2.Client()
    let shown: HostKey | undefined
    const settle = (error?: Error & { level?: string; code?: string }) => {
      client.destroy()
      if (shown) resolve(shown)
      else reject(explain(error ?? new Error('the server closed the connection'), { address, port, user: 'root', auth: { type: 'agent' } }))
    }
    client.on('error', settle)
    client.once('close', () => settle())
    client.connect({
      ...base({ address, port, user: 'root', auth: { type: 'agent' } }, via),
      algorithms: strongAlgorithms(pinned?.algorithm),
      hostVerifier: (blob: Buffer) => {
        shown = describeHostKey(blob)
        return false
      },
    })
  })
}

function base(target: SshTarget, via: Via): ConnectConfig {
  return {
    ...(via ? { sock: via as Duplex & ConnectConfig['sock'] } : { host: target.address, port: target.port }),
    username: target.user,
    readyTimeout: connectTimeoutMs,
    keepaliveInterval: 2000,
    keepaliveCountMax: 3,
  }
}

function credentialsOf(target: SshTarget): ConnectConfig {
  const { auth } = target
  if (auth.type === 'password') return { password: auth.password, tryKeyboard: true, authHandler: ['password', 'keyboard-interactive'] }
  if (auth.type === 'agent') {
    const socket = process.env['SSH_AUTH_SOCK']
    if (!socket) {
      throw new HoldfastError(
        'ssh-auth-failed',
        'No SSH agent runs here: SSH_AUTH_SOCK is not set',
        'Start one (`eval $(ssh-agent)`, `ssh-add`), or use a key file or a password.',
      )
    }
    return { agent: socket, authHandler: ['agent'] }
  }
  let text: Buffer
  try {
    text = readFileSync(auth.path)
  } catch (error) {
    throw new HoldfastError(
      'not-found',
      `The key file ${auth.path} cannot be read`,
      'Name a private key that you may read.',
      { path: auth.path },
      { cause: error },
    )
  }
  const key = ssh2.utils.parseKey(text, auth.passphrase)
  if (key instanceof Error) {
    const encrypted = /encrypted|passphrase|decrypt|integrity/i.test(key.message)
    throw new HoldfastError(
      'ssh-auth-failed',
      `The key file ${auth.path} cannot be used: ${key.message}`,
      encrypted ? 'Give its passphrase, or load it into an SSH agent.' : 'Name a private key in OpenSSH or PEM form.',
      { path: auth.path },
    )
  }
  return { privateKey: text, ...(auth.passphrase === undefined ? {} : { passphrase: auth.passphrase }), authHandler: ['publickey'] }
}

function refuse(address: string, port: number, shown: HostKey, pinned: HostKey | null, accepted: string | undefined): HoldfastError | undefined {
  const facts = { address, port, algorithm: shown.algorithm, shown: shown.fingerprint }
  const place = port === 22 ? address : `${address} --port ${port}`
  if (pinned && pinned.fingerprint !== shown.fingerprint) {
    return new HoldfastError(
      'host-key-changed',
      `The host key of ${address}:${port} has changed: pinned ${pinned.fingerprint}, shown ${shown.fingerprint}. Nothing was sent to it`,
      `Somebody may stand in between. Compare with \`ssh-keygen -lf\` of its key on the host's console; if it is right: holdfast host key ${place} --accept ${shown.fingerprint}`,
      { ...facts, pinned: pinned.fingerprint },
    )
  }
  if (pinned || accepted === shown.fingerprint) return undefined
  return accepted === undefined
    ? new HoldfastError(
        'host-key-unknown',
        `The host key of ${address}:${port} is not known yet: ${shown.algorithm} ${shown.fingerprint}. Nothing was sent to it`,
        `Compare with \`ssh-keygen -lf\` of its key on the host's console; if it is right: holdfast host key ${place} --accept ${shown.fingerprint}`,
        facts,
      )
    : new HoldfastError(
        'host-key-changed',
        `${address}:${port} shows another host key than the one accepted: accepted ${accepted}, shown ${shown.fingerprint}. Nothing was sent to it`,
        'Look at the key again and compare it with the one on the host itself.',
        { ...facts, pinned: accepted },
      )
}

function explain(error: Error & { level?: string; code?: string }, target: SshTarget): HoldfastError {
  const place = `${target.address}:${target.port}`
  const data = { address: target.address, port: target.port }
  if (error.level === 'client-authentication' || error.level === 'agent') {
    const by = { password: 'the password', key: 'the key', agent: 'any key of the SSH agent' }[target.auth.type]
    return new HoldfastError(
      'ssh-auth-failed',
      `${place} does not take ${by} for user ${target.user}`,
      target.auth.type === 'password'
        ? 'Check user and password, and that its sshd allows passwords for this user (PermitRootLogin, PasswordAuthentication).'
        : 'Check the user, and that the public key stands in its authorized_keys.',
      data,
      { cause: error },
    )
  }
  if (error.level === 'client-timeout' || error.code === 'ETIMEDOUT') {
    return new HoldfastError(
      'host-unreachable',
      `${place} does not answer`,
      'Check address and port, that the host runs, and firewalls on the way.',
      data,
      { cause: error },
    )
  }
  if (error.level === 'handshake') {
    return new HoldfastError(
      'not-supported',
      `${place} and this laptop agree on no SSH algorithm: ${error.message}`,
      'Its SSH server is too old or shut too tight: allow an ed25519 or ECDSA host key, curve25519 and AES-GCM.',
      data,
      { cause: error },
    )
  }
  return new HoldfastError(
    'host-unreachable',
    `${place} cannot be reached by SSH: ${error.message}`,
    'Check address and port, that the host runs, and that its sshd listens there.',
    data,
    { cause: error },
  )
}
