/** The app in a browser: `node src-main/shell/browser-main.ts [--recording]`. Runs until Ctrl-C; Enter gives a new address. */
import { parseArgs } from 'node:util'
import { asHoldfastError } from '../../core/errors.ts'
import { createServices } from '../main.ts'
import { keepRecording, shippedRecording } from '../recording/recording.ts'
import { startBrowserShell } from './browser-shell.ts'
import { openInBrowser } from './open-in-browser.ts'
import { screensDirectory } from './places.ts'

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { recording: { type: 'boolean', default: false } } })
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve())
  })
  await using services = await createServices()
  if (values.recording) await keepRecording(await shippedRecording(), services.inventory, services.contexts)

  let first = true
  const shell = await startBrowserShell({
    router: services.router,
    directory: screensDirectory,
    announce: (address) => {
      console.log(`\nHoldfast is at ${address}\nThe address opens one session. Enter gives a new one, Ctrl-C ends Holdfast.`)
      if (first) openInBrowser(address)
      first = false
    },
  })
  process.stdin.on('data', () => void shell.open())
  await shell.open()
  await ended
  process.stdin.destroy()
  await shell.close()
}

await main().catch((thrown) => {
  const { message, hint } = asHoldfastError(thrown)
  console.error(`${message}\n${hint}`)
  process.exitCode = 1
})
