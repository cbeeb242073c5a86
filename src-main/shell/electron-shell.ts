import { RPCHandler } from '@orpc/server/message-port'
import type Electron from 'electron'
import { electronProtocol, portOffer } from '../../core/contract/desktop/link.ts'
import { readScreen, securityHeaders } from './screens.ts'
import { type DesktopRouter, isPeerMessage, type Shell } from './shell.ts'

/** What is used of the `electron` module. It comes in by hand: outside Electron the module cannot be imported. */
export type ElectronApi = Pick<typeof Electron, 'BrowserWindow' | 'ipcMain' | 'session'>

const scheme = electronProtocol.slice(0, -1)
const origin = `${scheme}://window`

interface Options {
  router: DesktopRouter
  /** The built screens. */
  directory: string
  /** The built preload script. */
  preload: string
}

/** Makes the scheme that the screens are served by a secure origin of its own. Only possible before the app is ready. */
export function registerScheme(electron: Pick<typeof Electron, 'protocol'>): void {
  electron.protocol.registerSchemesAsPrivileged([{ scheme, privileges: { standard: true, secure: true, codeCache: true } }])
}

/**
 * The screens in a window of Electron: sandboxed, isolated from the preload's context, without Node, without the network. It may load
 * our files by our own scheme, hand over one MessagePort, and nothing else. Call when the app is ready.
 */
export function createElectronShell(electron: ElectronApi, options: Options): Shell {
  const handler = new RPCHandler(options.router)
  const headers = securityHeaders("'self'")
  const session = electron.session.defaultSession
  let window: Electron.BrowserWindow | null = null
  const ports = new Set<Electron.MessagePortMain>()

  session.protocol.handle(scheme, async (request) => {
    const ours = request.method === 'GET' && request.url.startsWith(`${origin}/`)
    const screen = ours ? await readScreen(options.directory, new URL(request.url).pathname) : null
    if (!screen) return new Response('There is nothing here.', { status: 404, headers })
    return new Response(screen.body, { headers: { ...headers, 'content-type': screen.contentType } })
  })
  session.webRequest.onBeforeRequest((details, decide) => decide({ cancel: !/^(holdfast-app|devtools|data|blob):/.test(details.url) }))
  session.setPermissionRequestHandler((_contents, _permission, decide) => decide(false))
  session.setPermissionCheckHandler(() => false)
  session.setDevicePermissionHandler(() => false)

  const takePort = (event: Electron.IpcMainEvent) => {
    const [port] = event.ports
    const ours = window !== null && event.senderFrame === window.webContents.mainFrame && event.senderFrame.url.startsWith(`${origin}/`)
    if (!port || !ours) return event.ports.forEach((stranger) => stranger.close())
    ports.add(port)
    port.on('close', () => ports.delete(port))
    handler.upgrade(checked(port))
    port.start()
  }
  electron.ipcMain.on(portOffer, takePort)

  return {
    async open() {
      if (window) return void window.focus()
      const opened = new electron.BrowserWindow({
        title: 'Holdfast',
        width: 1440,
        height: 900,
        minWidth: 960,
        minHeight: 600,
        show: false,
        autoHideMenuBar: true,
        webPreferences: {
          preload: options.preload,
          contextIsolation: true,
          sandbox: true,
          nodeIntegration: false,
          nodeIntegrationInWorker: false,
          nodeIntegrationInSubFrames: false,
          webSecurity: true,
          webviewTag: false,
          navigateOnDragDrop: false,
          spellcheck: false,
        },
      })
      window = opened
      opened.once('ready-to-show', () => opened.show())
      opened.once('closed', () => (window = null))
      opened.webContents.setWindowOpenHandler(() => ({ action: 'deny' }))
      opened.webContents.on('will-frame-navigate', (event) => event.preventDefault())
      opened.webContents.on('will-redirect', (event) => event.preventDefault())
      opened.webContents.on('will-attach-webview', (event) => event.preventDefault())
      await opened.loadURL(`${origin}/index.html`)
    },
    async close() {
      electron.ipcMain.off(portOffer, takePort)
      for (const port of ports) port.close()
      window?.destroy()
      session.protocol.unhandle(scheme)
    },
  }
}

/** A port as oRPC uses one, that is closed when what comes in is not of the contract. */
function checked(port: Electron.MessagePortMain): Parameters<RPCHandler<Record<never, never>>['upgrade']>[0] {
  return {
    postMessage: (message: unknown) => port.postMessage(message),
    on: (type: string, listener: (event?: { data: unknown }) => void) => {
      if (type === 'close') return void port.on('close', () => listener())
      port.on('message', ({ data }) => (isPeerMessage(data) ? listener({ data }) : port.close()))
    },
  }
}
