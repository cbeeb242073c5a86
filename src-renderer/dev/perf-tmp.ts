import { chromium, type Page } from 'playwright-core'
import { mkdtemp } from 'node:fs/promises'
import { startFixture } from './fixture-server.ts'
const fixture = await startFixture({ hosts: 50, ports: 2000, screensDir: '/tmp/hf-ui' })
const browser = await chromium.launchPersistentContext(await mkdtemp('/tmp/hf-chr-'), {
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
})
const page = await browser.newPage()
await page.setViewportSize({ width: 1440, height: 900 })
async function frames(page: Page, act: () => Promise<void>): Promise<string> {
  await page.evaluate(() => {
    const w = window as never as { f: number[]; s: boolean }
    w.f = []
    w.s = true
    let last = performance.now()
    const t = () => {
      const n = performance.now()
      w.f.push(n - last)
      last = n
      if (w.s) requestAnimationFrame(t)
    }
    requestAnimationFrame(t)
  })
  await act()
  const f: number[] = await page.evaluate(() => {
    const w = window as never as { f: number[]; s: boolean }
    w.s = false
    return w.f
  })
  f.sort((a, b) => a - b)
  const q = (p: number) => f[Math.min(f.length - 1, Math.floor(f.length * p))]!.toFixed(0)
  return `n ${f.length} p50 ${q(0.5)} p95 ${q(0.95)} max ${q(1)}`
}
async function pan() {
  await page.mouse.move(700, 450)
  await page.mouse.down()
  for (let i = 0; i < 90; i++) {
    await page.mouse.move(700 + 120 * Math.sin(i / 8), 450 + 80 * Math.cos(i / 9))
    await page.waitForTimeout(16)
  }
  await page.mouse.up()
}
async function zoom() {
  for (let i = 0; i < 60; i++) {
    await page.mouse.move(700, 450)
    await page.mouse.wheel(0, i % 20 < 10 ? -60 : 60)
    await page.waitForTimeout(30)
  }
}
async function hover() {
  for (let i = 0; i < 90; i++) {
    await page.mouse.move(500 + i * 5, 300 + (i % 7) * 30)
    await page.waitForTimeout(16)
  }
}
for (const layer of [0, 2]) {
  await page.goto(`${fixture.url}#/lab/topology`)
  await page.waitForTimeout(4000)
  await page.getByRole('radiogroup').getByRole('radio').nth(layer).click()
  await page.waitForTimeout(1500)
  for (const state of ['collapsed', 'expanded']) {
    if (state === 'expanded') {
      const t = Date.now()
      await page.getByRole('button', { name: 'Expand all' }).click({ timeout: 90000 })
      await page.waitForTimeout(3000)
      console.log('expand', Date.now() - t)
    }
    console.log(layer, state, 'idle', await frames(page, () => page.waitForTimeout(3000)))
    console.log(layer, state, 'pan', await frames(page, pan))
    console.log(layer, state, 'zoom', await frames(page, zoom))
    console.log(layer, state, 'hover', await frames(page, hover))
  }
}
await page.screenshot({ path: '/tmp/shots/perf.png' })
await browser.close()
await fixture.close()
