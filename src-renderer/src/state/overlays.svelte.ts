import type { ErrorDoc } from '../../../core/errors.ts'
import { settings } from './settings.svelte.ts'
import { terminals } from './terminals.svelte.ts'

/** What is done to a host after its plan was read. */
export type HostAction = 'remove' | 'upgrade' | 'failover'

export type DockTab = 'tasks' | 'events' | `terminal-${number}`

/** What lies over the screens or below them: palette, shortcuts, plans, and the dock's open tab. */
class Overlays {
  palette = $state(false)
  shortcuts = $state(false)
  settings = $state(false)
  /** A plan to be read before anything happens: what, to which host. */
  plan = $state.raw<{ action: HostAction; host: string } | null>(null)
  /** Whether the vault of private keys is to be opened. */
  vault = $state(false)
  dockTab = $state<DockTab>('tasks')

  /** Asks for the vault's passphrase when that is what stood in the way. Answers whether it did. */
  askIfLocked(error: ErrorDoc): boolean {
    if (error.code !== 'vault-locked') return false
    this.vault = true
    return true
  }

  showDock(tab: DockTab): void {
    this.dockTab = tab
    settings.layout.dockOpen = true
  }

  toggleDock(): void {
    settings.layout.dockOpen = !settings.layout.dockOpen
  }

  openTerminal(host: string): void {
    this.showDock(`terminal-${terminals.open(host).number}`)
  }
}

export const overlays = new Overlays()
