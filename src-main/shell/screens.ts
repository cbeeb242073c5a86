import { readFile } from 'node:fs/promises'
import path from 'node:path'

const contentTypes: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

/**
 * Headers of every answer. Scripts come from our own files alone, nothing may frame the window, no address leaks by Referer.
 * Inline styles are allowed: xterm and Cytoscape write their own style elements.
 * @param connect where the page may open connections to (CSP source expressions, space-separated)
 */
export function securityHeaders(connect: string): Record<string, string> {
  const policy = {
    'default-src': "'none'",
    'script-src': "'self'",
    'worker-src': "'self'",
    'style-src': "'self' 'unsafe-inline'",
    'img-src': "'self' data:",
    'font-src': "'self'",
    'connect-src': connect,
    'base-uri': "'none'",
    'form-action': "'none'",
    'frame-ancestors': "'none'",
  }
  return {
    'content-security-policy': Object.entries(policy)
      .map(([directive, sources]) => `${directive} ${sources}`)
      .join('; '),
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), usb=()',
    'cache-control': 'no-store',
  }
}

/**
 * A file of the built screens for a URL's path, or null where there is none. Nothing outside `directory` is ever read.
 * @param urlPath still percent-encoded, as it came
 */
export async function readScreen(directory: string, urlPath: string): Promise<{ body: Buffer<ArrayBuffer>; contentType: string } | null> {
  let decoded: string
  try {
    decoded = decodeURIComponent(urlPath)
  } catch {
    return null
  }
  if (decoded.includes('\0')) return null
  const file = path.join(directory, decoded === '/' ? 'index.html' : decoded)
  const contentType = contentTypes[path.extname(file)]
  if (!contentType || !file.startsWith(path.join(directory, path.sep))) return null
  const body = await readFile(file).catch(() => null)
  return body && { body, contentType }
}
