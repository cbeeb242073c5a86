import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/message-port'
import type { ContractRouterClient } from '@orpc/contract'
import { implement } from '@orpc/server'
import type { BrowserWindowConstructorOptions } from 'electron'
import { EventEmitter } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { MessageChannel, type MessagePort as NodePort } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { desktopContract, type DesktopContract } from '../../core/contract/desktop/index.ts'
import { portOffer } from '../../core/contract/desktop/link.ts'
import { createElectronShell, type ElectronApi, registerScheme } from './electron-shell.ts'
import type { DesktopRouter, Shell } from './shell.ts'

const contexts = [{ name: 'lab', endpoints: ['10.77.0.11:7443'], current: true, recording: false }]
const os = implement(desktopContract)
const router = { context: { list: os.context.list.handler(() => contexts) } } as unknown as DesktopRouter

/** A window of the stand-in: keeps what it was created with and what was hooked into it. */
class StandInWindow extends EventEmitter {
  static created: StandInWindow[] = []
  loaded: string[] = []
  openHandler: (() => { action: string }) | null = null
  webContents = Object.assign(new EventEmitter(), {
    mainFrame: { url: '' },
    setWindowOpenHandler: (handler: () => { action: string }) => (this.openHandler = handler),
  })
  show = vi.fn()
  focus = vi.fn()
  destroy = vi.fn()
  readonly options: BrowserWindowConstructorOptions

  constructor(options: BrowserWindowConstructorOptions) {
    super()
    this.options = options
    StandInWindow.created.push(this)
  }

  async loadURL(url: string): Promise<void> {
    this.loaded.push(url)
    this.webContents.mainFrame.url = url
  }
}

/** As much of `electron` as the shell uses, with every handler that it sets kept for the test to call. */
function standIn() {
  const ipcMain = new EventEmitter()
  const handlers: Record<string, (request: Request) => Promise<Response>> = {}
  const defaultSession = {
    protocol: { handle: (scheme: string, handler: (request: Request) => Promise<Response>) => (handlers[scheme] = handler), unhandle: vi.fn() },
    webRequest: { onBeforeRequest: vi.fn() },
    setPermissionRequestHandler: vi.fn(),
    setPermissionCheckHandler: vi.fn(),
    setDevicePermissionHandler: vi.fn(),
  }
  const protocol = { registerSchemesAsPrivileged: vi.fn() }
  const api = { BrowserWindow: StandInWindow, ipcMain, session: { defaultSession } } as unknown as ElectronApi
  return { api, ipcMain, handlers, defaultSession, protocol }
}

/** A Node port under the name and habits of Electron's MessagePortMain. */
function asMainPort(port: NodePort) {
  const main = Object.assign(new EventEmitter(), {
    postMessage: (message: unknown) => port.postMessage(message),
    start: () => port.start(),
    close: () => port.close(),
  })
  port.on('message', (data: unknown) => main.emit('message', { data, ports: [] }))
  port.on('close', () => main.emit('close'))
  return main
}

let folder: string
let electron: ReturnType<typeof standIn>
let shell: Shell
let window: StandInWindow

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-shell-'))
  await writeFile(path.join(folder, 'index.html'), '<!doctype html><title>Holdfast</title>')
  StandInWindow.created = []
  electron = standIn()
  shell = createElectronShell(electron.api, { router, directory: folder, preload: '/app/preload.cjs' })
  await shell.open()
  window = StandInWindow.created[0]!
})

afterEach(async () => {
  await shell.close()
  await rm(folder, { recursive: true })
})

test('the window is created sandboxed, isolated and without Node', () => {
  expect(window.options.webPreferences).toEqual({
    preload: '/app/preload.cjs',
    contextIsolation: true,
    sandbox: true,
    nodeIntegration: false,
    nodeIntegrationInWorker: false,
    nodeIntegrationInSubFrames: false,
    webSecurity: true,
    webviewTag: false,
    navigateOnDragDrop: false,
    spellcheck: false,
  })
  expect(window.loaded).toEqual(['holdfast-app://window/index.html'])
})

test('there is one window: opened again it is focused, after it was closed a new one is made', async () => {
  await shell.open()
  expect(StandInWindow.created).toHaveLength(1)
  expect(window.focus).toHaveBeenCalledOnce()
  window.emit('closed')
  await shell.open()
  expect(StandInWindow.created).toHaveLength(2)
})

test('it cannot navigate, open windows, attach webviews or get permissions', () => {
  expect(window.openHandler?.()).toEqual({ action: 'deny' })
  for (const event of ['will-frame-navigate', 'will-redirect', 'will-attach-webview']) {
    const preventDefault = vi.fn()
    window.webContents.emit(event, { preventDefault })
    expect(preventDefault, event).toHaveBeenCalledOnce()
  }
  const decide = vi.fn()
  electron.defaultSession.setPermissionRequestHandler.mock.calls[0]![0](null, 'media', decide)
  expect(decide).toHaveBeenCalledWith(false)
  expect(electron.defaultSession.setPermissionCheckHandler.mock.calls[0]![0]()).toBe(false)
  expect(electron.defaultSession.setDevicePermissionHandler.mock.calls[0]![0]()).toBe(false)
})

test('nothing is fetched from the network', () => {
  const decideFor = (url: string) => {
    const decide = vi.fn()
    electron.defaultSession.webRequest.onBeforeRequest.mock.calls[0]![0]({ url }, decide)
    return decide.mock.calls[0]![0]
  }
  for (const url of ['https://example.com/', 'http://127.0.0.1/', 'ws://127.0.0.1/', 'file:///etc/passwd'])
    expect(decideFor(url)).toEqual({ cancel: true })
  expect(decideFor('holdfast-app://window/index.html')).toEqual({ cancel: false })
})

test('the scheme serves the screens with the policy, and nothing else', async () => {
  registerScheme({ protocol: electron.protocol } as never)
  expect(electron.protocol.registerSchemesAsPrivileged).toHaveBeenCalledWith([
    { scheme: 'holdfast-app', privileges: { standard: true, secure: true, codeCache: true } },
  ])
  const serve = electron.handlers['holdfast-app']!
  const page = await serve(new Request('holdfast-app://window/index.html'))
  expect(await page.text()).toContain('Holdfast')
  expect(page.headers.get('content-security-policy')).toContain(`default-src 'none'; script-src 'self'`)
  for (const url of ['holdfast-app://elsewhere/index.html', 'holdfast-app://window/../../etc/passwd', 'holdfast-app://window/none.js']) {
    expect((await serve(new Request(url))).status, url).toBe(404)
  }
})

test('a port from the page carries the contract, and is closed when it does not', async () => {
  const { port1, port2 } = new MessageChannel()
  electron.ipcMain.emit(portOffer, { ports: [asMainPort(port2)], senderFrame: window.webContents.mainFrame })
  const client: ContractRouterClient<DesktopContract> = createORPCClient(new RPCLink({ port: port1 }))
  port1.start()
  expect(await client.context.list()).toEqual(contexts)
  const closed = new Promise((resolve) => port1.once('close', () => resolve('closed')))
  port1.postMessage({ i: 'x', p: { u: '/context/list' } })
  expect(await closed).toBe('closed')
})

test('a port from any other frame or page is closed unread', async () => {
  const offers = [{ url: 'holdfast-app://window/index.html' }, Object.assign(window.webContents.mainFrame, { url: 'https://evil.example/' }), null]
  for (const senderFrame of offers) {
    const { port1, port2 } = new MessageChannel()
    const closed = new Promise((resolve) => port1.once('close', () => resolve('closed')))
    electron.ipcMain.emit(portOffer, { ports: [asMainPort(port2)], senderFrame })
    expect(await closed).toBe('closed')
  }
})
