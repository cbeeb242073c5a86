/** Resolves after some time, or as soon as the signal aborts. Never throws. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
  })
}

/**
 * Passes a stream on as long as it keeps talking. When nothing comes for `silenceMs`, calls `onSilence` and throws what it answers;
 * the stream is then left to end by itself, since a peer that is gone would not answer its cancellation either.
 */
export async function* whileTalking<T>(stream: AsyncIterable<T>, silenceMs: number, onSilence: () => Error): AsyncGenerator<T, void, undefined> {
  const iterator = stream[Symbol.asyncIterator]()
  let silent = false
  try {
    for (;;) {
      let timer: NodeJS.Timeout | undefined
      const silence = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => {
          silent = true
          reject(onSilence())
        }, silenceMs)
      })
      const next = iterator.next()
      next.catch(() => {})
      const result = await Promise.race([next, silence]).finally(() => clearTimeout(timer))
      if (result.done) return
      yield result.value
    }
  } finally {
    const ended = iterator.return?.()
    if (silent) ended?.catch(() => {})
    else await ended
  }
}
