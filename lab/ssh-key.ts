import ssh2 from 'ssh2'

/** A key pair as OpenSSH keeps it: PEM of the private key, line of the public one. */
export interface SshKey {
  private: string
  public: string
}

/**
 * Makes an Ed25519 key pair. ssh2 (1.17) takes leading zeros off a public key, one key of 256, which OpenSSH then refuses, and so a machine
 * that had such a host key would have no sshd: what ssh2 itself cannot read again is made again.
 */
export function newSshKey(comment: string): SshKey {
  for (;;) {
    const key = ssh2.utils.generateKeyPairSync('ed25519', { comment })
    if (!(ssh2.utils.parseKey(key.private) instanceof Error)) return key
  }
}
