/**
 * How the window reaches the desktop contract. In Electron the window makes a MessageChannel and hands one port over:
 * `window.postMessage(portOffer, location.origin, [port])`; the preload passes it on to the main program. Pages of the browser
 * shell open a WebSocket on `socketPath` of the address that they came from; its session cookie goes with it by itself.
 */
export const electronProtocol = 'holdfast-app:'
/** The message whose one transferred port becomes the contract's. */
export const portOffer = 'holdfast:port'
/** Where the browser shell takes WebSockets. */
export const socketPath = '/desktop'
