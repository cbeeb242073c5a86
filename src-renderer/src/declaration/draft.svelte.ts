import type { NetworkApplied, NetworkPlanDoc } from '../../../core/contract/desktop/network.ts'
import type { ErrorDoc } from '../../../core/errors.ts'
import type { Problem } from '../../../core/net/declaration/problems.ts'
import { asErrorDoc } from '../desktop.ts'
import { app } from '../state/app.svelte.ts'
import { navigation } from '../state/navigation.svelte.ts'
import { overlays } from '../state/overlays.svelte.ts'
import type { Ref } from '../state/place.ts'
import { virtual } from '../state/virtual.svelte.ts'
import { exampleDeclaration } from './example.ts'
import { withoutObject } from './removal.ts'
import { itemOf, lineOfItem, partOf, withItem, type DeclaredItem, type DeclaredKind } from './yaml-edit.ts'

/** How long after the last key a plan is asked for, in ms. */
const quietMs = 300

/** What a draft began from: the whole declaration, or a part of it that leaves everything else as it is. */
export type Scope = 'whole' | 'part'

/** Kinds that there are forms for. */
export type FormKind = 'network' | 'port' | 'acl' | 'vip' | 'host'

/** Whether the form is what an object of a kind is changed in, beside its text. */
export const isEditedInForm = (kind: DeclaredKind): kind is 'acl' | 'vip' | 'host' => kind === 'acl' || kind === 'vip' || kind === 'host'

interface Begun {
  text: string
  scope: Scope
  prune: boolean
}

/** What was applied last, and how it was before. */
export interface Applied {
  revision: number
  changes: NetworkApplied['changes']
  /** Hosts that have ports. */
  hosts: string[]
  atMs: number
  before: string
}

/** The declaration that is being written. There is one; what it replaces can be brought back. */
class Draft {
  text = $state('')
  scope = $state<Scope>('whole')
  /** Whether what the declaration does not name is deleted. Only where it began from all of it. */
  prune = $state(false)
  /** Whether there is one. */
  begun = $state(false)
  loading = $state(false)
  error = $state.raw<ErrorDoc | null>(null)
  problems = $state.raw<Problem[]>([])
  plan = $state.raw<NetworkPlanDoc | null>(null)
  /** What the plan on the screen was made of; it is late while the text is another. */
  #planned = $state.raw<{ text: string; prune: boolean } | null>(null)
  applying = $state(false)
  applied = $state.raw<Applied | null>(null)
  former = $state.raw<Begun | null>(null)
  /** Line to bring into sight, from 1. */
  line = $state.raw<{ line: number } | null>(null)
  /** The form that lies over the text: for a new object, or one that is in the text. */
  form = $state.raw<{ kind: FormKind; name: string | null } | null>(null)
  #from = ''

  late = $derived(this.#planned?.text !== this.text || this.#planned.prune !== this.prune)
  /** What the desktop is asked about it. */
  declared = $derived({ declaration: this.text, prune: this.prune && this.scope === 'whole' })
  dirty = $derived(this.begun && this.text !== this.#from)

  /** All of the network as it is. */
  openWhole(): Promise<void> {
    return this.#open(async () => ({ text: await this.#export(), scope: 'whole', prune: false }))
  }

  /** One object as it is, with the form for it open where that is asked for. What was not declared yet is begun. */
  async openObject(kind: DeclaredKind, name: string, form = false): Promise<void> {
    await this.#open(async () => ({ text: partOf(await this.#export(), kind, name) ?? '', scope: 'part', prune: false }))
    if (form && isEditedInForm(kind)) this.form = { kind, name }
  }

  /** One object with some of its fields changed. */
  openWith(kind: DeclaredKind, name: string, fields: Record<string, unknown>): Promise<void> {
    return this.#open(async () => {
      const whole = await this.#export()
      const item = itemOf(whole, kind, name) ?? { name }
      return { text: withItem('', kind, { ...item, ...fields }) ?? whole, scope: 'part', prune: false }
    })
  }

  /** A form for a new object, on the draft that is there or, where there is none, on one that holds nothing else. */
  add(kind: FormKind): void {
    if (this.begun) navigation.show('plan')
    else void this.openText('', virtual.empty ? 'whole' : 'part')
    this.form = { kind, name: null }
  }

  /** All of the network without one object and what cannot be without it. */
  openWithout(ref: Ref): Promise<void> {
    return this.#open(async () => ({ text: withoutObject(await this.#export(), virtual.view, ref), scope: 'whole', prune: true }))
  }

  /** A declaration that somebody else wrote: a remedy, or how it was before. */
  openText(text: string, scope: Scope, prune = false): Promise<void> {
    return this.#open(() => Promise.resolve({ text, scope, prune }))
  }

  /** A small network to begin with. */
  openExample(): Promise<void> {
    return this.openText(exampleDeclaration(app.status.hosts.map(({ name }) => name)), 'whole')
  }

  /** Whatever is there, else all of the network. */
  async openAny(): Promise<void> {
    if (!this.begun) return this.openWhole()
    navigation.show('plan')
  }

  bringBack(): void {
    const former = this.former
    if (!former) return
    this.former = this.dirty ? { text: this.text, scope: this.scope, prune: this.prune } : null
    this.#begin(former)
    this.#from = ''
  }

  /** Writes an object into the text and shows it; false where the text has problems that have to be mended first. */
  write(kind: DeclaredKind, item: DeclaredItem): boolean {
    const text = withItem(this.text, kind, item)
    if (text === null) return false
    this.text = text
    const line = lineOfItem(text, kind, item.name)
    if (line !== null) this.line = { line }
    return true
  }

  /** Asks for the plan of what is written, after a pause. The body of an effect. */
  planSoon(): () => void {
    const asked = { text: this.text, prune: this.declared.prune }
    const timer = setTimeout(() => void this.#ask(asked), this.#planned === null ? 0 : quietMs)
    return () => clearTimeout(timer)
  }

  async #ask(asked: { text: string; prune: boolean }): Promise<void> {
    const isCurrent = (): boolean => this.text === asked.text
    try {
      const plan = await app.client.network.plan({ declaration: asked.text, prune: asked.prune })
      if (!isCurrent()) return
      this.plan = plan
      this.problems = []
      this.error = null
    } catch (thrown) {
      if (!isCurrent()) return
      const error = asErrorDoc(thrown)
      const problems = error.data?.problems
      this.plan = null
      this.problems = Array.isArray(problems) ? (problems as Problem[]) : []
      this.error = this.problems.length > 0 || overlays.askIfLocked(error) ? null : error
    }
    this.#planned = asked
  }

  async apply(): Promise<void> {
    const { plan, text, prune } = this
    if (!plan) return
    this.applying = true
    await app.attempt(async () => {
      const before = await this.#export()
      // Who is how far comes with the feed: nothing is waited for here.
      const { revision, changes, hosts } = await app.client.network.apply({ declaration: text, prune, revision: plan.revision, waitMs: 0 })
      this.applied = { revision, changes, hosts: hosts.map(({ host }) => host), atMs: Date.now(), before }
      this.#from = this.text
    })
    this.#planned = null
    this.applying = false
  }

  async #export(): Promise<string> {
    return (await app.client.network.export()).declaration
  }

  async #open(begin: () => Promise<Begun>): Promise<void> {
    navigation.show('plan')
    this.loading = true
    await app.attempt(async () => {
      const begun = await begin()
      if (this.dirty && this.text.trim() !== '') this.former = { text: this.text, scope: this.scope, prune: this.prune }
      this.#begin(begun)
    })
    this.loading = false
  }

  #begin({ text, scope, prune }: Begun): void {
    this.text = text
    this.scope = scope
    this.prune = prune
    this.begun = true
    this.#from = text
    this.plan = null
    this.problems = []
    this.error = null
    this.applied = null
    this.line = null
    this.#planned = null
  }
}

export const draft = new Draft()
