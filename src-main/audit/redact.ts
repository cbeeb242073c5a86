const secretName = /pass(word|phrase)|secret|token|credential|private|^(key|keyPem|pin)$/i
const secretText = /-----BEGIN [A-Z ]*PRIVATE KEY-----/

/** A copy without what must not be kept: values of fields that are named like a secret, and texts that hold a private key. */
export function redact(value: unknown): unknown {
  if (typeof value === 'string') return secretText.test(value) ? '•••' : value
  if (Array.isArray(value)) return value.map(redact)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, secretName.test(name) && inner !== undefined ? '•••' : redact(inner)]),
  )
}
