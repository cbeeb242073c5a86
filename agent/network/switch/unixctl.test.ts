import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { JsonSplitter, Unixctl, unixctl } from './unixctl.ts'

test('documents come out of a stream whole, however it is cut', () => {
  const documents = fc.array(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.constantFrom('{"', '\\"}', '\\', '}{'), fc.json())), {
    maxLength: 5,
  })
  fc.assert(
    fc.property(documents, fc.constantFrom('', '\n'), fc.integer({ min: 1, max: 7 }), (list, between, chunk) => {
      const text = list.map((document) => JSON.stringify(document)).join(between)
      const splitter = new JsonSplitter()
      const found: string[] = []
      for (let at = 0; at < text.length; at += chunk) found.push(...splitter.push(text.slice(at, at + chunk)))
      expect(found.map((document) => JSON.parse(document) as unknown)).toEqual(list)
    }),
  )
})

describe('a control socket', () => {
  let directory: string
  let path: string
  let server: Server
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'unixctl-'))
    path = join(directory, 'ctl')
    server = createServer((socket) => {
      socket.setEncoding('utf8')
      const splitter = new JsonSplitter()
      socket.on('data', (chunk) => {
        for (const document of splitter.push(chunk as unknown as string)) {
          const { id, method, params } = JSON.parse(document) as { id: number; method: string; params: string[] }
          if (method === 'end') socket.destroy()
          else if (method === 'bad') socket.write(JSON.stringify({ id, result: null, error: '"bad" is not a valid command\n' }))
          else if (method !== 'hang') socket.write(JSON.stringify({ id, result: params.join(' '), error: null }))
        }
      })
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
  })
  afterEach(() => {
    server.close()
    rmSync(directory, { recursive: true })
  })

  test('answers commands in their order, and says why it refuses one', async () => {
    using connection = await Unixctl.connect(path)
    const refused = connection.call('bad')
    const answers = ['1', '2', '3'].map((word) => connection.call('echo', word, 'x'))
    await expect(refused).rejects.toMatchObject({ code: 'step-failed', message: expect.stringContaining('not a valid command') as string })
    expect(await Promise.all(answers)).toEqual(['1 x', '2 x', '3 x'])
  })

  test('tells a daemon that ends from one that hangs', async () => {
    using connection = await Unixctl.connect(path)
    const closed = new Promise<void>((resolve) => connection.onClose(resolve))
    await expect(connection.call('end')).rejects.toMatchObject({ code: 'module-unhealthy' })
    await closed
    await expect(connection.call('echo')).rejects.toMatchObject({ code: 'module-unhealthy' })
    await expect(unixctl(path, 'hang', [], 50)).rejects.toMatchObject({ code: 'timeout' })
    await expect(unixctl(join(directory, 'none'), 'echo', [])).rejects.toMatchObject({ code: 'module-unhealthy' })
  })
})
