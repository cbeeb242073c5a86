import type { Algorithms, ServerHostKeyAlgorithm } from 'ssh2'

const hostKeyAlgorithms: ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
]

/**
 * What we offer a server: nothing with SHA-1, CBC or MAC-then-encrypt. The kind of key that is pinned comes first, so that
 * a server with several host keys shows the same one again. A pinned `ssh-rsa` key is shown by the `rsa-sha2` algorithms (RFC 8332).
 */
export function strongAlgorithms(pinnedAlgorithm: string | undefined): Algorithms {
  const kind = (name: string) => (name === 'ssh-rsa' || name.startsWith('rsa-sha2-') ? 'rsa' : name)
  const wanted = pinnedAlgorithm === undefined ? '' : kind(pinnedAlgorithm)
  return {
    kex: [
      'curve25519-sha256',
      'curve25519-sha256@libssh.org',
      'ecdh-sha2-nistp256',
      'ecdh-sha2-nistp384',
      'ecdh-sha2-nistp521',
      'diffie-hellman-group16-sha512',
      'diffie-hellman-group18-sha512',
    ],
    serverHostKey: [...hostKeyAlgorithms.filter((name) => kind(name) === wanted), ...hostKeyAlgorithms.filter((name) => kind(name) !== wanted)],
    cipher: ['aes256-gcm@openssh.com', 'aes128-gcm@openssh.com', 'chacha20-poly1305@openssh.com', 'aes256-ctr', 'aes128-ctr'],
    hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com'],
    compress: ['none'],
  }
}
