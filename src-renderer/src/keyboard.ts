import { commands } from './commands.ts'
import { keyText } from './key-text.ts'

/** How long the second key of two may take, in ms. */
const sequenceMs = 1200

/** What is typed into takes its keys for itself. */
const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))

/** Listens for the keys of commands, one or two in a row. Back and forward are the browser's own. */
export function listenForKeys(target: Window): () => void {
  let first = ''
  let firstAtMs = 0
  const listener = (event: KeyboardEvent): void => {
    const key = keyText(event)
    if (isTyping(event.target) && !key.startsWith('mod+')) return
    // A dialog has the keyboard to itself.
    if (document.querySelector('[role="dialog"]') && key !== 'mod+k') return
    if (key === '/') {
      const filter = document.querySelector<HTMLInputElement>('main input[type="search"]')
      if (filter) event.preventDefault()
      return filter?.focus()
    }
    const both = event.timeStamp - firstAtMs < sequenceMs ? `${first} ${key}` : key
    const all = commands()
    const command = all.find(({ keys }) => keys === both) ?? all.find(({ keys }) => keys === key)
    first = key
    firstAtMs = event.timeStamp
    if (!command) return
    event.preventDefault()
    first = ''
    command.run()
  }
  target.addEventListener('keydown', listener)
  return () => target.removeEventListener('keydown', listener)
}
