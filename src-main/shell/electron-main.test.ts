import type { EventEmitter } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'

const home = mkdtempSync(path.join(tmpdir(), 'holdfast-electron-'))

/** The `electron` module as far as the entry uses it; `calls` keeps the order in which it was used. */
const electron = vi.hoisted(() => {
  const calls: string[] = []
  const noted =
    (name: string, answer?: unknown) =>
    (...argv: unknown[]) => {
      calls.push([name, ...argv.filter((one) => typeof one === 'string')].join(' '))
      return answer
    }
  return { calls, noted }
})

vi.mock('electron', async () => {
  const { EventEmitter } = await import('node:events')
  const { calls, noted } = electron
  class BrowserWindow extends EventEmitter {
    webContents = Object.assign(new EventEmitter(), { setWindowOpenHandler: () => undefined, mainFrame: { url: '' } })
    focus = noted('focus')
    destroy = noted('destroy')
    loadURL = (url: string) => Promise.resolve(void calls.push(`load ${url}`))
  }
  const app = Object.assign(new EventEmitter(), {
    requestSingleInstanceLock: noted('lock', true),
    enableSandbox: noted('sandbox'),
    whenReady: () => Promise.resolve(void calls.push('ready')),
    quit: noted('quit'),
    exit: noted('exit'),
  })
  const set = () => undefined
  const defaultSession = {
    protocol: { handle: noted('serve'), unhandle: set },
    webRequest: { onBeforeRequest: set },
    setPermissionRequestHandler: set,
    setPermissionCheckHandler: set,
    setDevicePermissionHandler: set,
  }
  return {
    app,
    BrowserWindow,
    dialog: { showErrorBox: noted('error') },
    ipcMain: new EventEmitter(),
    protocol: { registerSchemesAsPrivileged: noted('scheme') },
    safeStorage: { isAsyncEncryptionAvailable: () => Promise.resolve(false) },
    session: { defaultSession },
  }
})

beforeAll(() => vi.stubEnv('HOLDFAST_HOME', home))
afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(home, { recursive: true })
})

test('the entry prepares what must be before Electron is ready, opens the window, and ends in good order', async () => {
  const { app } = (await import('electron')) as unknown as { app: EventEmitter }
  await import('./electron-main.ts')
  await vi.waitFor(() => expect(electron.calls).toContain('load holdfast-app://window/index.html'), 10_000)
  expect(electron.calls).toEqual(['lock', 'sandbox', 'scheme', 'ready', 'serve holdfast-app', 'load holdfast-app://window/index.html'])

  app.emit('second-instance')
  await vi.waitFor(() => expect(electron.calls).toContain('focus'))

  const preventDefault = vi.fn()
  app.emit('before-quit', { preventDefault })
  expect(preventDefault).toHaveBeenCalledOnce()
  await vi.waitFor(() => expect(electron.calls.slice(-2)).toEqual(['destroy', 'quit']), 10_000)
  app.emit('before-quit', { preventDefault })
  expect(preventDefault).toHaveBeenCalledOnce()
})
