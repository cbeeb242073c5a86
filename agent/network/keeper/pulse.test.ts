import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { identifyProcess } from '../../runtime/process.ts'
import { hangs, Pulse } from './pulse.ts'

describe('a process that does not answer', () => {
  test('hangs when it does nothing for a while', () => {
    expect(hangs({ state: 'S', silentMs: 150, ranMs: 0 })).toBe(false)
    expect(hangs({ state: 'S', silentMs: 250, ranMs: 10 })).toBe(true)
  })

  test('may work or wait for the kernel for long, but not for ever', () => {
    expect(hangs({ state: 'D', silentMs: 1500, ranMs: 0 })).toBe(false)
    expect(hangs({ state: 'D', silentMs: 2100, ranMs: 0 })).toBe(true)
    expect(hangs({ state: 'R', silentMs: 1500, ranMs: 1400 })).toBe(false)
    expect(hangs({ state: 'R', silentMs: 2100, ranMs: 2000 })).toBe(true)
  })
})

describe('the pulse of a process', () => {
  /** A process that answers commands on a control socket, or begins to and then no more. */
  const daemon = `
    const silent = process.argv[2] === 'silent'
    require('node:net').createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', (bytes) => {
        if (silent) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
        socket.write(JSON.stringify({ id: 1, result: 'well', error: null }))
      })
    }).listen(process.argv[1], () => console.log('ready'))
  `

  async function lostAfter(mode: 'answers' | 'silent', act: (child: ChildProcess) => void): Promise<string> {
    const directory = mkdtempSync(join(tmpdir(), 'pulse-'))
    const control = join(directory, 'ctl')
    const child = spawn(process.execPath, ['-e', daemon, control, mode], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      await new Promise((resolve) => child.stdout.once('data', resolve))
      return await new Promise((resolve) => {
        new Pulse({ process: identifyProcess(child.pid!)!, control, question: ['version'], onAnswer: () => undefined, onLost: resolve })
        setTimeout(() => act(child), 300)
      })
    } finally {
      child.kill('SIGKILL')
      rmSync(directory, { recursive: true })
    }
  }

  test('is lost when it is killed, stopped, or waits for ever', async () => {
    const reasons = await Promise.all([
      lostAfter('answers', (child) => child.kill('SIGKILL')),
      lostAfter('answers', (child) => child.kill('SIGSTOP')),
      lostAfter('silent', () => undefined),
    ])
    expect(reasons).toEqual(['killed', 'hung', 'hung'])
  })

  test('goes on through work that takes a second', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'pulse-'))
    const control = join(directory, 'ctl')
    const server = createServer((socket) => socket.on('data', () => socket.write(JSON.stringify({ id: 1, result: 'well', error: null }))))
    await new Promise<void>((resolve) => server.listen(control, resolve))
    const lost: string[] = []
    const answers: string[] = []
    // This process itself: while it works, it neither answers nor judges; what has come meanwhile is read first.
    const pulse = new Pulse({
      process: identifyProcess(process.pid)!,
      control,
      question: ['version'],
      onAnswer: (answer) => answers.push(answer),
      onLost: (reason) => lost.push(reason),
    })
    for (let round = 0; round < 3; round++) {
      const untilMs = performance.now() + 500
      while (performance.now() < untilMs);
      await new Promise((resolve) => setTimeout(resolve, 150))
    }
    pulse[Symbol.dispose]()
    server.close()
    rmSync(directory, { recursive: true })
    expect(lost).toEqual([])
    expect(new Set(answers)).toEqual(new Set(['well']))
  })
})
