import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BrowserContext, chromium, type Page } from 'playwright-core'

export const root = path.resolve(import.meta.dirname, '..')

/** `npm start` as a child: what it printed, the address that it gave, and its end. */
export class StartedApp {
  readonly #child: ChildProcess
  output = ''

  /** @param home the laptop's data directory, so that the journey has one of its own */
  constructor(argv: string[], home: string) {
    this.#child = spawn('node', ['scripts/start.mjs', ...argv], {
      cwd: root,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, HOLDFAST_HOME: home, DISPLAY: '', WAYLAND_DISPLAY: '' },
    })
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) stream.on('data', (chunk) => (this.output += chunk))
  }

  /** The first address printed, within the time. Throws with all that was printed. */
  async address(limitMs: number): Promise<string> {
    const deadlineMs = performance.now() + limitMs
    for (;;) {
      const found = /http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]+/.exec(this.output)
      if (found) return found[0]
      if (this.#child.exitCode !== null || performance.now() > deadlineMs) throw new Error(`npm start gave no address:\n${this.output}`)
      await sleep(50)
    }
  }

  /** Ends it as Ctrl-C or as a service manager would; answers its exit status when all that it started is gone. */
  async end(signal: 'SIGINT' | 'SIGTERM'): Promise<number | null> {
    if (this.#child.exitCode !== null) return this.#child.exitCode
    const closed = new Promise<number | null>((resolve) => this.#child.once('close', resolve))
    this.#child.kill(signal)
    return closed
  }
}

/** Debian's Chromium with a profile of its own, and a page in it. */
export async function openBrowser(): Promise<{ page: Page; close(): Promise<void> }> {
  const profile = await mkdtemp(path.join(tmpdir(), 'holdfast-chromium-'))
  const context: BrowserContext = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    viewport: { width: 1440, height: 900 },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  return {
    page: context.pages()[0] ?? (await context.newPage()),
    close: async () => {
      await context.close()
      await rm(profile, { recursive: true, force: true })
    },
  }
}
