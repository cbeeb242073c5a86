import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { _electron } from 'playwright-core'
import { expect, test } from 'vitest'
import { electronProgram } from '../scripts/electron.ts'
import { hasDesktop } from '../src-main/shell/open-in-browser.ts'
import { root } from './app.ts'

/** Why the window of Electron cannot be opened here, or null. */
function obstacle(): string | null {
  if (!electronProgram())
    return "Electron's binary is not on this machine: its npm package comes without it, and it is fetched only where there is a desktop"
  if (!hasDesktop()) return 'there is no desktop here to open a window on'
  return null
}

test("Electron's window shows the recorded cluster, and its page has no way out", async ({ skip }) => {
  const reason = obstacle()
  if (reason) skip(reason)
  const home = await mkdtemp(path.join(tmpdir(), 'holdfast-e2e-'))
  const app = await _electron.launch({
    executablePath: electronProgram()!,
    args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), root, '--recording'],
    env: { ...(process.env as Record<string, string>), HOLDFAST_HOME: home },
    timeout: 60_000,
  })
  try {
    const page = await app.firstWindow()
    await page
      .getByRole('row', { name: /\bh2\b/ })
      .first()
      .waitFor()
    expect(page.url()).toMatch(/^holdfast-app:\/\/window\//)
    expect(await page.evaluate('[typeof require, typeof process]')).toEqual(['undefined', 'undefined'])
    const outside = page.evaluate(`fetch('https://example.com/').then(() => 'fetched')`)
    await expect(outside).rejects.toThrow()
    await page.evaluate(`window.open('https://example.com/')`)
    await page.evaluate(`void (location.href = 'https://example.com/')`)
    expect(app.windows()).toHaveLength(1)
    expect(page.url()).toMatch(/^holdfast-app:\/\/window\//)
  } finally {
    await app.close()
    await rm(home, { recursive: true, force: true })
  }
})
