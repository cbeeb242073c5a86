import { spawn } from 'node:child_process'

/** Whether a window can be shown to the person at this machine. */
export function hasDesktop(): boolean {
  return process.platform !== 'linux' || Boolean(process.env.DISPLAY ?? '') || Boolean(process.env.WAYLAND_DISPLAY ?? '')
}

const openers: Partial<Record<NodeJS.Platform, string[]>> = { darwin: ['open'], win32: ['cmd', '/c', 'start', ''] }

/** Shows an address in the desktop's browser, where there is a desktop. It may fail unseen: the address is printed as well. */
export function openInBrowser(address: string): void {
  if (!hasDesktop()) return
  const [program = '', ...argv] = openers[process.platform] ?? ['xdg-open']
  spawn(program, [...argv, address], { stdio: 'ignore', detached: true })
    .on('error', () => undefined)
    .unref()
}
