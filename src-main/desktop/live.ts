import { asHoldfastError, type HoldfastError } from '../../core/errors.ts'
import type { Source } from '../../core/status/freshness.ts'
import type { Dial } from '../agents/module-link.ts'
import { Sync } from '../agents/sync.ts'
import { isRecording, type Context, type Contexts } from '../contexts/contexts.ts'
import type { SourceName } from '../inventory/apply.ts'
import type { Inventory } from '../inventory/inventory.ts'
import type { Notices } from '../inventory/notices.ts'

export interface LiveOptions {
  inventory: Inventory
  contexts: Contexts
  notices: Notices
  /** Makes what connects to the agents of a context. */
  dialFor: (context: string) => Dial
}

/** Failures that a person has to do something about; the others are for the matrix to show. */
const worthAWord = new Set([
  'wrong-cluster',
  'certificate-expired',
  'certificate-missing',
  'clock-skew',
  'role-insufficient',
  'bad-input',
  'vault-locked',
  'passphrase-wrong',
])

/** The connections to the agents of one context at a time: of the one that was asked for last. */
export class Live implements AsyncDisposable {
  readonly #options: LiveOptions
  readonly #told = new Set<string>()
  #sync: Sync | undefined
  /** What the connections were made from; other text, other connections. */
  #made = ''
  #context = ''
  #staying = false
  #changing: Promise<void> = Promise.resolve()

  constructor(options: LiveOptions) {
    this.#options = options
  }

  /** Keeps the inventory of a context up to date from now on. Call it again whenever the context may have changed. */
  follow(context: Context): void {
    this.#staying = true
    void this.#ensure(context)
  }

  /** Sees to it that the inventory is as the agents are now, as far as they answer within a time. For a recording it is already. */
  async refresh(context: Context, withinMs: number): Promise<void> {
    const startMs = performance.now()
    await this.#ensure(context)
    await this.#sync?.settled(withinMs - (performance.now() - startMs))
  }

  /** How each source of a context stands: as the connections know, else as the inventory does. */
  async sources(context: string): Promise<Source[]> {
    const live = this.#context === context ? (this.#sync?.sources() ?? []) : []
    if (live.length > 0) return live
    return (await this.#options.inventory.sources(context)).map(({ host, module, seenAtMs }) => ({
      ...{ host, module, connected: false, seenAtMs },
      remembered: true,
    }))
  }

  /** Ends the connections to a context, if there are any, before it is forgotten. */
  async leave(context: string): Promise<void> {
    if (this.#context === context) await this.#change(async () => await this.#end())
  }

  #ensure(context: Context): Promise<void> {
    return this.#change(async () => {
      const made = JSON.stringify([context.name, context.clusterId, context.caPem, context.certificatePem, context.endpoints, this.#staying])
      if (made === this.#made) return
      await this.#end()
      this.#made = made
      this.#context = context.name
      if (isRecording(context)) return
      this.#sync = new Sync({
        inventory: this.#options.inventory,
        context: context.name,
        endpoints: context.endpoints,
        dial: this.#options.dialFor(context.name),
        samples: this.#staying,
        onFailure: (source, error) => this.#tellFailure(source, error),
        onSkew: (host, skewMs) => this.#tellSkew(context.name, host, skewMs),
      })
    })
  }

  /** One change after the other. */
  #change(work: () => Promise<void>): Promise<void> {
    this.#changing = this.#changing.then(work, work)
    return this.#changing
  }

  async #end(): Promise<void> {
    await this.#sync?.[Symbol.asyncDispose]()
    this.#sync = undefined
    this.#made = ''
    this.#context = ''
    this.#told.clear()
  }

  /** Once for each host and reason, until it answers again. */
  #tellFailure({ context, host, module }: SourceName, error: HoldfastError | null): void {
    if (error === null) {
      for (const key of this.#told) if (key.startsWith(`${host} `)) this.#told.delete(key)
      return
    }
    const { code, message, hint } = asHoldfastError(error)
    const key = `${host} ${code}`
    if (!worthAWord.has(code) || this.#told.has(key)) return
    this.#told.add(key)
    void this.#options.notices.add(context, {
      type: 'agent-refused',
      severity: 'error',
      message: `${message}. ${hint}`,
      about: [`host/${host}`],
      data: { code, module },
    })
  }

  #tellSkew(context: string, host: string, skewMs: number | null): void {
    const about = [`host/${host}`]
    if (skewMs === null) {
      void this.#options.notices.add(context, { type: 'clock-right', severity: 'info', message: `The clock of ${host} is right again`, about })
      return
    }
    const message = `The clock of ${host} is ${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? 'ahead of' : 'behind'} this laptop's. Set it, or this laptop's; certificates and leases depend on it.`
    void this.#options.notices.add(context, { type: 'clock-skew', severity: 'warning', message, about, data: { skewMs } })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#change(async () => await this.#end())
  }
}
