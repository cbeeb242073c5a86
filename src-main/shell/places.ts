import path from 'node:path'

const root = path.resolve(import.meta.dirname, '../..')

/** The built screens; `npm run build` makes them. */
export const screensDirectory = path.join(root, 'dist', 'renderer')
/** The built preload script of Electron's window. */
export const preloadFile = path.join(root, 'dist', 'electron', 'preload.cjs')
