import { connect, type Socket } from 'node:net'

/** A connection to a daemon's control socket: JSON-RPC 1.0, one call at a time (ovs-appctl's protocol). */
export class Control {
  readonly #socket: Socket
  #answered: ((answer: { result: unknown; error: unknown }) => void) | null = null
  #failed: ((error: Error) => void) | null = null
  #text = ''

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('utf8').on('data', (text: string) => this.#read(text))
    socket.on('error', (error) => this.#failed?.(error))
    socket.on('close', () => this.#failed?.(new Error('ovs-vswitchd has gone')))
  }

  static open(path: string): Promise<Control> {
    return new Promise((resolve, reject) => {
      const socket = connect(path, () => resolve(new Control(socket)))
      socket.once('error', reject)
    })
  }

  #read(text: string): void {
    this.#text += text
    try {
      const answer = JSON.parse(this.#text) as { result: unknown; error: unknown }
      this.#text = ''
      this.#answered?.(answer)
    } catch {
      // Not all of it has come.
    }
  }

  call(method: string, ...params: string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#failed = reject
      this.#answered = ({ result, error }) =>
        error === null ? resolve(String(result)) : reject(new Error(`${method} ${params.join(' ')}: ${String(error)}`))
      this.#socket.write(JSON.stringify({ id: 0, method, params }))
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}
