/**
 * The only code of ours that runs beside the page in its process. It passes one thing on: the page's own port for the contract.
 * Built to CommonJS by electron-vite, as a sandboxed preload must be.
 */
import { ipcRenderer } from 'electron'
import { portOffer } from '../../core/contract/desktop/link.ts'

/** What is used of the DOM here; this folder is checked with Node's types. */
interface PageMessage {
  source: unknown
  data: unknown
  ports: readonly NonNullable<Parameters<typeof ipcRenderer.postMessage>[2]>[number][]
}
declare const window: { addEventListener(type: 'message', listener: (event: PageMessage) => void): void }

window.addEventListener('message', (event) => {
  const [port] = event.ports
  if (event.source === window && event.data === portOffer && port) ipcRenderer.postMessage(portOffer, null, [port])
})
