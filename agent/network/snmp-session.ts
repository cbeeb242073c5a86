import { isVarbindError, ObjectType, Session, Version2c, type Varbind } from 'net-snmp'
import { HoldfastError } from '../../core/errors.ts'

/** A number, or the bytes of an octet string. */
export type SnmpValue = number | Buffer

/** Reads objects of a device. What it does not have is left out of the answers. */
export interface SnmpReader {
  /** Values of single objects, by identifier. */
  get(oids: readonly string[]): Promise<Map<string, SnmpValue>>
  /** All values of a table's column, by what follows the column's identifier. */
  column(oid: string): Promise<Map<string, SnmpValue>>
}

export interface SnmpSessionOptions {
  /** Where the device's SNMP agent listens. */
  address: string
  port?: number
  /** Where it is asked from. */
  sourceAddress?: string
  community: string
  /** After this the session ends, whatever was asked. */
  totalMs: number
}

/** A lost datagram is sent again once within the time of a session. */
const retries = 1

/** Identifiers in one request, so that the answer fits into a datagram of 1500 bytes. */
const maxOids = 20

/** Rows of a column in one answer. */
const maxRepetitions = 40

/** The library trusts its peer to send well-formed answers; a throw of its would end the process. */
class GuardedSession extends Session {
  override onMsg(message: Buffer): void {
    try {
      super.onMsg(message)
    } catch {
      // As if it had not come.
    }
  }
}

/** Asks one device by SNMPv2c (RFC 3416). Everything throws `timeout` when there is no answer in time, or none that can be read. */
export class SnmpSession implements SnmpReader, Disposable {
  readonly #options: SnmpSessionOptions
  readonly #session: Session
  /** Rejects when the session ends: the library may forget a request then, and one whose answer was none. */
  readonly #over = Promise.withResolvers<never>()
  readonly #timer: NodeJS.Timeout
  #ended = false

  constructor(options: SnmpSessionOptions) {
    this.#options = options
    const { address, port = 161, sourceAddress, community, totalMs } = options
    this.#session = new GuardedSession(address, community, {
      ...{ version: Version2c, transport: address.includes(':') ? 'udp6' : 'udp4', port, retries, timeout: totalMs / 2, backwardsGetNexts: false },
      ...(sourceAddress !== undefined && { sourceAddress }),
    })
    // Datagrams that are no SNMP.
    this.#session.on('error', () => undefined)
    this.#timer = setTimeout(() => this[Symbol.dispose](), totalMs)
    this.#over.promise.catch(() => undefined)
  }

  async get(oids: readonly string[]): Promise<Map<string, SnmpValue>> {
    const parts = Array.from({ length: Math.ceil(oids.length / maxOids) }, (_, index) => oids.slice(index * maxOids, (index + 1) * maxOids))
    const answers = await Promise.all(parts.map((part) => this.#ask<Varbind[]>((done) => this.#session.get(part, done))))
    return new Map(answers.flat().flatMap((varbind) => valueOf(varbind, '')))
  }

  async column(oid: string): Promise<Map<string, SnmpValue>> {
    const found: Varbind[] = []
    await this.#ask<void>((done) => this.#session.subtree(oid, maxRepetitions, (varbinds) => void found.push(...varbinds), done))
    return new Map(found.flatMap((varbind) => valueOf(varbind, `${oid}.`)))
  }

  /** What is under way fails. */
  [Symbol.dispose](): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#timer)
    this.#session.close()
    this.#over.reject(new Error('the session has ended'))
  }

  async #ask<T>(begin: (done: (error: Error | null, answer?: T) => void) => void): Promise<T> {
    const asked = new Promise<T>((resolve, reject) => begin((error, answer) => (error ? reject(error) : resolve(answer!))))
    try {
      return await Promise.race([asked, this.#over.promise])
    } catch (cause) {
      const { address, totalMs } = this.#options
      const hint = 'Have it answer SNMPv2c from the addresses of the hosts, with the community that they ask with.'
      throw new HoldfastError('timeout', `${address} did not answer by SNMP within ${totalMs} ms`, hint, { address }, { cause })
    }
  }
}

/** The value of an answer under its identifier without a prefix; none where the device has no such object. */
function valueOf(varbind: Varbind, prefix: string): [string, SnmpValue][] {
  if (isVarbindError(varbind) || !varbind.oid.startsWith(prefix)) return []
  const { oid, type, value } = varbind
  const read = type === ObjectType.Counter64 && Buffer.isBuffer(value) ? Number(`0x${value.toString('hex') || '0'}`) : value
  return typeof read === 'number' || Buffer.isBuffer(read) ? [[oid.slice(prefix.length), read]] : []
}
