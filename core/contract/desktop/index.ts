import { broadcastContract } from './broadcast.ts'
import { captureContract } from './capture.ts'
import { contextContract } from './context.ts'
import { hostContract } from './host.ts'
import { inventoryContract } from './inventory.ts'
import { networkContract } from './network.ts'
import { taskContract } from './task.ts'
import { terminalContract } from './terminal.ts'

/** What the window may ask of the laptop's main program. The same over MessagePort (Electron) and WebSocket (browser shell). */
export const desktopContract = {
  context: contextContract,
  inventory: inventoryContract,
  host: hostContract,
  network: networkContract,
  broadcast: broadcastContract,
  capture: captureContract,
  task: taskContract,
  terminal: terminalContract,
}
export type DesktopContract = typeof desktopContract
