/**
 * The app in Electron's window: `electron . [--recording]`. Electron's Node runs this file as it is. Nothing here awaits at the top level:
 * Electron is not ready before its entry has been loaded to the end.
 */
import { app, BrowserWindow, dialog, ipcMain, protocol, safeStorage, session } from 'electron'
import { join } from 'node:path'
import { asHoldfastError } from '../../core/errors.ts'
import { createServices, defaultHome } from '../main.ts'
import { keepRecording, shippedRecording } from '../recording/recording.ts'
import type { Services } from '../services.ts'
import { createElectronShell, registerScheme } from './electron-shell.ts'
import { openKeychain } from './keychain.ts'
import { preloadFile, screensDirectory } from './places.ts'
import type { Shell } from './shell.ts'

let open: { services: Services; shell: Shell } | null = null

async function start(): Promise<void> {
  const home = defaultHome()
  const keychain = await openKeychain(safeStorage, join(home, 'keychain'))
  const services = await createServices({ home, ...(keychain ? { secretStore: keychain } : {}) })
  const shell = createElectronShell(
    { BrowserWindow, ipcMain, session },
    { router: services.router, directory: screensDirectory, preload: preloadFile },
  )
  open = { services, shell }
  if (process.argv.includes('--recording')) await keepRecording(await shippedRecording(), services.inventory, services.contexts)
  await shell.open()
}

/** Ends what runs in good order, then the app. */
async function end(ending: NonNullable<typeof open>): Promise<void> {
  open = null
  await ending.shell.close()
  await ending.services[Symbol.asyncDispose]()
  app.quit()
}

if (!app.requestSingleInstanceLock()) app.quit()
else {
  app.enableSandbox()
  registerScheme({ protocol })
  app.on('second-instance', () => void open?.shell.open())
  app.on('activate', () => void open?.shell.open())
  app.on('window-all-closed', () => app.quit())
  app.on('before-quit', (event) => {
    if (!open) return
    event.preventDefault()
    void end(open)
  })
  void app
    .whenReady()
    .then(start)
    .catch((thrown) => {
      const { message, hint } = asHoldfastError(thrown)
      dialog.showErrorBox(message, hint)
      app.exit(1)
    })
}
