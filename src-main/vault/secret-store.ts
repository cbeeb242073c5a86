/** A place for secrets, by name. */
export interface SecretStore {
  /** Where secrets lie, for messages: the system's keychain, or the vault. */
  readonly kind: 'keychain' | 'vault'
  /** Null when there is none of that name. Throws `vault-locked` or `passphrase-wrong` where that stands in the way. */
  get(name: string): Promise<string | null>
  set(name: string, secret: string): Promise<void>
  delete(name: string): Promise<void>
}
