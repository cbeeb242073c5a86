import type { Terminal } from '@xterm/xterm'
import type { FitAddon } from '@xterm/addon-fit'
import { asErrorDoc } from '../desktop.ts'
import type { ErrorDoc } from '../../../core/errors.ts'
import { app } from './app.svelte.ts'

type State = 'opening' | 'open' | 'ended' | 'failed'

const colourTokens = {
  background: 'surface',
  foreground: 'text',
  cursor: 'accent',
  selectionBackground: 'fill',
  red: 'down',
  green: 'up',
  yellow: 'degraded',
  blue: 'chart-2',
  cyan: 'accent',
  brightBlue: 'chart-2',
} as const

/** One terminal to one host. It lives here, not in the dock, so that going elsewhere or closing the dock loses nothing of it. */
class TerminalSession {
  readonly number: number
  readonly host: string
  state = $state<State>('opening')
  exitCode = $state<number | null>(null)
  error = $state.raw<ErrorDoc | null>(null)
  #remote: string | null = null
  #xterm: Terminal | null = null
  #fit: FitAddon | null = null
  #element = document.createElement('div')
  #ended = new AbortController()

  constructor(number: number, host: string) {
    this.number = number
    this.host = host
    this.#element.className = 'h-full'
  }

  /** Puts the terminal on the screen; the function returned takes it off again. Opens the channel the first time. */
  attach(parent: HTMLElement): () => void {
    parent.append(this.#element)
    const resized = new ResizeObserver(() => this.#refit())
    resized.observe(parent)
    if (!this.#xterm) void this.#open()
    return () => {
      resized.disconnect()
      this.#element.remove()
    }
  }

  focus(): void {
    this.#xterm?.focus()
  }

  /** Takes its colours from the theme that is shown. */
  recolour(): void {
    if (!this.#xterm) return
    const style = getComputedStyle(document.documentElement)
    this.#xterm.options.theme = Object.fromEntries(
      Object.entries(colourTokens).map(([name, token]) => [name, style.getPropertyValue(`--${token}`).trim()]),
    )
  }

  close(): void {
    this.#ended.abort()
    const id = this.#remote
    if (id) void app.client.terminal.close({ id }).catch(() => {})
    this.#xterm?.dispose()
  }

  async #open(): Promise<void> {
    const [{ Terminal }, { FitAddon }] = await Promise.all([import('@xterm/xterm'), import('@xterm/addon-fit'), import('@xterm/xterm/css/xterm.css')])
    const xterm = (this.#xterm = new Terminal({
      fontFamily: "'JetBrains Mono Variable', monospace",
      fontSize: 13,
      lineHeight: 1.15,
      cursorBlink: false,
      drawBoldTextInBrightColors: false,
      scrollback: 5000,
      screenReaderMode: true,
      macOptionIsMeta: true,
      minimumContrastRatio: 4.5,
    }))
    this.#fit = new FitAddon()
    xterm.loadAddon(this.#fit)
    this.recolour()
    await document.fonts.load("13px 'JetBrains Mono Variable'").catch(() => [])
    xterm.open(this.#element)
    this.#refit()
    // Keys of the window itself pass by the shell: palette and dock.
    xterm.attachCustomKeyEventHandler((event) => !((event.ctrlKey || event.metaKey) && ['k', 'j', '`'].includes(event.key)))
    const signal = this.#ended.signal
    try {
      const { id } = await app.client.terminal.open({ host: this.host, cols: xterm.cols, rows: xterm.rows })
      this.#remote = id
      const frames = await app.client.terminal.output({ id }, { signal })
      this.state = 'open'
      let typing = Promise.resolve<unknown>(undefined)
      // One call after the other: keys must arrive in the order in which they were pressed.
      xterm.onData((text) => (typing = typing.then(() => app.client.terminal.input({ id, text })).catch(() => {})))
      xterm.onResize(({ cols, rows }) => void app.client.terminal.resize({ id, cols, rows }).catch(() => {}))
      xterm.focus()
      for await (const frame of frames) {
        if (frame.type === 'data') xterm.write(frame.text)
        else this.exitCode = frame.code
      }
      this.state = 'ended'
      this.#remote = null
    } catch (thrown) {
      if (signal.aborted) return
      this.error = asErrorDoc(thrown)
      this.state = 'failed'
    }
    xterm.options.disableStdin = true
  }

  #refit(): void {
    if (this.#element.clientWidth > 0) this.#fit?.fit()
  }
}

export type { TerminalSession }

class Terminals {
  list = $state.raw<TerminalSession[]>([])
  #next = 1

  open(host: string): TerminalSession {
    const session = new TerminalSession(this.#next++, host)
    this.list = [...this.list, session]
    return session
  }

  close(session: TerminalSession): void {
    session.close()
    this.list = this.list.filter((other) => other !== session)
  }
}

export const terminals = new Terminals()
