import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** A program that says a line when it is ready, then answers each line on its stdin with a line of JSON, and ends with its stdin. */
export interface LineProcess extends AsyncDisposable {
  ask<T>(line: string): Promise<T>
  /** What it has said on stderr so far. */
  complaints(): string
}

/** Starts one in network and mount namespaces of its own, and returns when it is ready. */
export async function inNamespaces(program: string, ...args: string[]): Promise<LineProcess> {
  const child = spawn('unshare', ['--net', '--mount', process.execPath, program, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  let complaints = ''
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()))
  // One that has ended is told by what it says last, not by its closed pipe.
  child.stdin.on('error', () => undefined)
  const over = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`${program} has ended: ${complaints.slice(-2000)}`)
    return value
  }
  await next()
  return {
    async ask<T>(line: string) {
      child.stdin.write(`${line}\n`)
      return JSON.parse(await next()) as T
    },
    complaints: () => complaints,
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      await over
    },
  }
}
