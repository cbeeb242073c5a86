import { createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../core/errors.ts'

const lockWaitMs = 120_000

/**
 * Runs `work` while no other process on this machine holds the same lock. The lock is an abstract unix socket (unix(7)),
 * which the kernel releases with its process however that ends. Throws `busy` after two minutes.
 */
export async function withLock<T>(lock: string, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + lockWaitMs
  for (;;) {
    const server = await tryListen(`\0holdfast-lab/${lock}`)
    if (server) {
      try {
        return await work()
      } finally {
        await new Promise((done) => server.close(done))
      }
    }
    if (performance.now() > deadline) {
      throw new HoldfastError('busy', `Another command is still working on ${lock}`, 'Wait for it to end, then try again.')
    }
    await sleep(50)
  }
}

function tryListen(path: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(null) : reject(error)))
    server.listen({ path }, () => resolve(server))
  })
}
