import { AxeBuilder } from '@axe-core/playwright'
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openBrowser, root } from './app.ts'

/**
 * Broadcast and floating addresses in the window, on a made-up cluster: what several guests do to an address, a node in the slower way and a
 * host without an agent are there at once. What a real cluster does is proven by the lab's tests.
 */
let server: ChildProcess
let page: Page
let closeBrowser: () => Promise<void>
let address = ''
const pageErrors: string[] = []

beforeAll(async () => {
  server = spawn(process.execPath, [path.join(root, 'src-renderer', 'dev', 'fixture-server.ts'), '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said = new Promise<string>((resolve, reject) => {
    server.stdout!.on('data', (chunk) => resolve(String(chunk).trim()))
    server.once('close', (code) => reject(new Error(`The fixture ended with ${code}`)))
  })
  ;[address, { page, close: closeBrowser }] = await Promise.all([said, openBrowser()])
  page.setDefaultTimeout(30_000)
  page.on('pageerror', (error) => pageErrors.push(String(error)))
  await page.goto(address)
})

afterAll(async () => {
  await closeBrowser?.()
  server?.kill()
})

const show = (place: string) => page.evaluate((hash) => void Object.assign(Reflect.get(globalThis, 'location'), { hash }), `#/lab${place}`)
const inspector = () => page.getByRole('complementary', { name: 'Inspector' })

/** What is new on the screen is checked: the journey checks every screen as a whole. */
async function expectNoViolations(part: 'aside' | '[role=dialog]'): Promise<void> {
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    const axe = new AxeBuilder({ page }).include(part)
    // Themes differ in colours alone.
    const { violations } = await (colorScheme === 'dark' ? axe : axe.withRules(['color-contrast'])).analyze()
    expect(violations.map(({ id, nodes }) => `${colorScheme} ${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`)).toEqual([])
  }
}

describe('broadcast', () => {
  test('a network says how its broadcast goes, who copies it, and what was announced in it', async () => {
    await show('/network/web')
    const panel = page.getByTestId('broadcast')
    await panel.getByText('Members').waitFor()
    await panel.getByRole('radio', { name: 'cluster+garp', checked: true }).waitFor()
    await panel.getByRole('button', { name: 'legacy-1' }).waitFor()
    const nodes = page.getByTestId('broadcast-nodes')
    await nodes.getByText('in the kernel').waitFor()
    await nodes.getByText('by the agent, slower').waitFor()
    await page.getByTestId('announcements').getByText('10.20.1.100').first().waitFor()
    await expectNoViolations('aside')
  })

  test('its mode is changed by a plan that says what it costs', async () => {
    await page.getByTestId('broadcast').getByRole('radio', { name: 'source' }).click()
    await page.getByText('Nothing is lost: broadcast takes its new way at once in web.').waitFor()
    // Until it is applied it is what it was.
    await page.getByTestId('broadcast').getByRole('radio', { name: 'cluster+garp', checked: true }).waitFor()
    await page.getByRole('button', { name: 'Change network web' }).click()
    await page.getByTestId('broadcast').getByRole('radio', { name: 'source', checked: true }).waitFor()
  })
})

describe('a VIP', () => {
  test('is found by its address, and says who has it, who may, and how long each move took', async () => {
    await page.keyboard.press('Control+k')
    await page.keyboard.type('10.20.1.100')
    await page.getByRole('option').filter({ hasText: 'web-vip' }).first().click()
    await inspector().getByTestId('vip-owner').getByText('phys-1').waitFor()
    expect(await page.getByTestId('vip-history').innerText()).toMatch(/web-2 → phys-1.*322\sms/s)
    expect(await page.getByTestId('vip-refused').innerText()).toContain('web-7')
    await expectNoViolations('aside')
  })

  test('that two guests fight for warns of both, and moves while one looks', async () => {
    await show('/topology?select=vip/cache-vip')
    await inspector().getByRole('alert').getByText('Claimed at once').waitFor()
    const owner = inspector().getByTestId('vip-owner')
    const before = await owner.innerText()
    await expect.poll(() => owner.innerText(), { timeout: 30_000 }).not.toBe(before)
    await page
      .getByRole('navigation', { name: 'Outline' })
      .getByRole('button', { name: /VIP cache-vip.*degraded/ })
      .waitFor()
    await expectNoViolations('aside')
  })

  test('is written into the declaration by a form', async () => {
    await show('/vip/db-vip')
    await inspector().getByRole('button', { name: 'Edit…' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('checkbox', { name: 'db-3' }).check()
    await dialog.getByRole('textbox', { name: 'Priority of db-3' }).fill('25')
    await expectNoViolations('[role=dialog]')
    await dialog.getByRole('button', { name: 'Write into the declaration' }).click()
    expect(await page.locator('main textarea').inputValue()).toContain('priorities: {db-1: 100, db-2: 50, db-3: 25}')
    await page.getByRole('button', { name: /^Change VIP db-vip$/ }).click()
    await inspector().getByRole('button', { name: /db-3/ }).waitFor()
  })
})

test('the page met no error', () => expect(pageErrors).toEqual([]))
