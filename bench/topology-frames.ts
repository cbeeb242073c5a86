import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { chromium, type BrowserContext, type Page } from 'playwright-core'
import { buildScreens } from '../scripts/build.ts'
import type { Bench, BenchRow } from './bench.ts'
import { percentile } from './statistics.ts'

const root = path.resolve(import.meta.dirname, '..')
const hosts = 50
const ports = 2000
const goalMs = 33
/** What the picture shows, in the order of its switch. */
const layers = ['combined', 'virtual'] as const

const bench: Bench = {
  name: 'topology-frames',
  title: `Frame times of the topology with ${ports} ports on ${hosts} hosts, zoomed and panned in headless Chromium`,
  kind: 'laptop',
  async run({ quick, log }) {
    await buildScreens(log)
    await using fixture = await startFixture()
    await using browser = await openBrowser()
    const seconds = quick ? 2 : 6
    const rows: BenchRow[] = [await emptyPage(browser.context, seconds)]
    for (const layer of layers) {
      for (const expanded of [false, true]) {
        const page = await browser.context.newPage()
        await open(page, fixture.url, layer, expanded)
        const shown = `${layer}, ${expanded ? `all ${ports} ports shown` : 'collapsed'}`
        log(shown)
        for (const [doing, act] of Object.entries({ zooming: zoom, panning: pan })) {
          const frames = await framesDuring(page, () => act(page, seconds))
          rows.push({ ...rowOf(`p95 frame, ${doing}, ${shown}`, frames), goal: { max: goalMs } })
        }
        await page.close()
      }
    }
    return rows
  },
}
export default bench

/** Figures are whole frames of the screen: 16.7 ms, 33.3 ms and so on. */
function rowOf(figure: string, frames: readonly number[]): BenchRow {
  const note = `median ${percentile(frames, 0.5).toFixed(0)} ms, longest ${Math.max(...frames).toFixed(0)} ms of ${frames.length} frames`
  return { figure, value: Math.floor(percentile(frames, 0.95)), unit: 'ms', note }
}

/** What this browser on this machine makes of a page that draws nothing: less than that cannot be had. */
async function emptyPage(context: BrowserContext, seconds: number): Promise<BenchRow> {
  const page = await context.newPage()
  const frames = await framesDuring(page, () => zoom(page, seconds))
  await page.close()
  return rowOf('p95 frame, an empty page', frames)
}

/** The screens with a made-up cluster behind them, in a process of its own so that its work is not the window's. */
async function startFixture(): Promise<{ url: string } & AsyncDisposable> {
  const argv = ['src-renderer/dev/fixture-server.ts', '--port', '0', '--hosts', String(hosts), '--ports', String(ports)]
  const child = spawn(process.execPath, argv, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  const [url] = (await once(createInterface(child.stdout), 'line')) as [string]
  return {
    url,
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.kill()
      await ended
    },
  }
}

async function openBrowser(): Promise<{ context: BrowserContext } & AsyncDisposable> {
  const profile = await mkdtemp(path.join(tmpdir(), 'holdfast-frames-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    viewport: { width: 1440, height: 900 },
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })
  return {
    context,
    async [Symbol.asyncDispose]() {
      await context.close()
      await rm(profile, { recursive: true, force: true })
    },
  }
}

/** Opens the topology with the layer chosen, and everything expanded where that is asked. */
async function open(page: Page, url: string, layer: (typeof layers)[number], expanded: boolean): Promise<void> {
  await page.goto(`${url}#/lab/topology`)
  await page.getByTestId('topology').locator('canvas').first().waitFor()
  const name = { combined: 'Combined', virtual: 'Virtual' }[layer]
  await page.getByRole('radio', { name }).click()
  if (expanded) await page.getByRole('button', { name: 'Expand all' }).click()
  await sleep(settledMs)
}

/** Time from each frame to the next, in ms, while something is done. */
async function framesDuring(page: Page, act: () => Promise<void>): Promise<number[]> {
  await page.evaluate(`(() => {
    const times = (globalThis.frameTimes = [])
    const each = (at) => { times.push(at); globalThis.frameTimes === times && requestAnimationFrame(each) }
    requestAnimationFrame(each)
  })()`)
  await act()
  const times = (await page.evaluate('(() => { const times = globalThis.frameTimes; globalThis.frameTimes = null; return times })()')) as number[]
  return times.slice(1).map((at, index) => at - times[index]!)
}

const middle = { x: 700, y: 480 }
/** By then the picture is drawn as it is at a new size. */
const settledMs = 1500

/** In to single ports and out again, with the wheel. */
async function zoom(page: Page, seconds: number): Promise<void> {
  const endMs = performance.now() + seconds * 1000
  await page.mouse.move(middle.x, middle.y)
  for (let step = 0; performance.now() < endMs; step++) {
    await page.mouse.wheel(0, step % 60 < 30 ? -60 : 60)
    await sleep(16)
  }
}

/** To and fro, as large as the whole fits and then at a size at which names can be read. */
async function pan(page: Page, seconds: number): Promise<void> {
  for (const near of [false, true]) {
    if (near) {
      for (let step = 0; step < 5; step++) await page.mouse.wheel(0, -60)
      await sleep(settledMs)
    }
    const endMs = performance.now() + (seconds * 1000) / 2
    // On the ground beside the picture's objects: what is dragged is the picture.
    await page.mouse.move(middle.x, 130)
    await page.mouse.down()
    for (let step = 0; performance.now() < endMs; step++) {
      await page.mouse.move(middle.x + 240 * Math.sin(step / 12), 130 + 160 * (1 - Math.cos(step / 12)))
      await sleep(16)
    }
    await page.mouse.up()
  }
}
