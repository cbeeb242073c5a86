/**
 * The few globals beside ECMAScript's own that every place `core/` runs in has (Node, browsers, workers), after WinterTC's
 * Minimum Common API. `core/` is checked with neither Node's nor the DOM's types, so anything else is an error there.
 * Timers, clocks and `Math.random` are left out on purpose: they come through `Env`.
 */
interface Event {
  readonly type: string
}

interface EventTarget {
  addEventListener(type: string, listener: (event: Event) => void, options?: { once?: boolean; signal?: AbortSignal }): void
  removeEventListener(type: string, listener: (event: Event) => void): void
}

interface AbortSignal extends EventTarget {
  readonly aborted: boolean
  readonly reason: unknown
  throwIfAborted(): void
}
declare const AbortSignal: { any(signals: AbortSignal[]): AbortSignal; abort(reason?: unknown): AbortSignal }

interface AbortController {
  readonly signal: AbortSignal
  abort(reason?: unknown): void
}
declare const AbortController: { new (): AbortController }

interface TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>
}
declare const TextEncoder: { new (): TextEncoder }

interface TextDecoder {
  decode(bytes?: ArrayBuffer | ArrayBufferView): string
}
declare const TextDecoder: { new (encoding?: string, options?: { fatal?: boolean }): TextDecoder }

interface CryptoKey {
  readonly type: 'private' | 'public' | 'secret'
  readonly extractable: boolean
  readonly algorithm: { name: string }
  readonly usages: string[]
}

interface CryptoKeyPair {
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
}

type BufferSource = ArrayBuffer | ArrayBufferView<ArrayBuffer>

/** WebCrypto as far as `core/` uses it (W3C Web Cryptography API). */
interface SubtleCrypto {
  digest(algorithm: string, data: BufferSource): Promise<ArrayBuffer>
  generateKey(algorithm: { name: string; namedCurve: string }, extractable: boolean, usages: string[]): Promise<CryptoKeyPair>
  importKey(
    format: 'raw' | 'pkcs8' | 'spki',
    data: BufferSource,
    algorithm: { name: string; namedCurve?: string; hash?: string; length?: number },
    extractable: boolean,
    usages: string[],
  ): Promise<CryptoKey>
  exportKey(format: 'raw' | 'pkcs8' | 'spki', key: CryptoKey): Promise<ArrayBuffer>
  sign(algorithm: { name: string; hash?: string } | string, key: CryptoKey, data: BufferSource): Promise<ArrayBuffer>
  verify(algorithm: { name: string; hash?: string } | string, key: CryptoKey, signature: BufferSource, data: BufferSource): Promise<boolean>
}

interface Crypto {
  readonly subtle: SubtleCrypto
  getRandomValues<T extends ArrayBufferView>(array: T): T
  randomUUID(): string
}
declare const crypto: Crypto

declare function structuredClone<T>(value: T): T
declare function atob(base64: string): string
declare function btoa(binary: string): string
