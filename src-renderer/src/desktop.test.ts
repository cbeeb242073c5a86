import { ORPCError } from '@orpc/client'
import { describe, expect, test } from 'vitest'
import { HoldfastError } from '../../core/errors.ts'
import { asErrorDoc, Desktop, type Connection, type DesktopClient } from './desktop.ts'

/** A connector whose connections are opened and cut by hand. */
function byHand() {
  const waiting: { open: () => () => void; refuse: () => void }[] = []
  let asked = () => {}
  let opened = 0
  const connect = () =>
    new Promise<Connection>((resolve, reject) => {
      waiting.push({
        open() {
          let cut = () => {}
          const closed = new Promise<void>((ended) => (cut = ended))
          resolve({ client: { number: ++opened } as unknown as DesktopClient, closed })
          return cut
        },
        refuse: () => reject(new Error('refused')),
      })
      asked()
    })
  const next = async () => {
    if (waiting.length === 0) await new Promise<void>((resolve) => (asked = resolve))
    return waiting.shift()!
  }
  return { connect, next }
}
const numberOf = (client: DesktopClient): number => (client as unknown as { number: number }).number
const turn = () => new Promise((resolve) => setTimeout(resolve))

describe('the line to the main program', () => {
  test('work starts on every connection; its signal ends when it is stopped, not with a connection', async () => {
    const { connect, next } = byHand()
    const desktop = new Desktop(connect)
    const seen: string[] = []
    desktop.onState((state) => seen.push(state))
    const stop = desktop.whileOpen(async (client, signal) => {
      seen.push(`work ${numberOf(client)}`)
      signal.addEventListener('abort', () => seen.push(`ended ${numberOf(client)}`))
    })
    void desktop.run()
    const cut = (await next()).open()
    await turn()
    cut()
    await turn()
    ;(await next()).refuse()
    ;(await next()).open()
    await turn()
    expect(seen).toEqual(['open', 'work 1', 'lost', 'open', 'work 2'])
    stop()
    expect(seen.slice(5)).toEqual(['ended 1', 'ended 2'])
  })

  test('work that was stopped does not start again, and what comes late starts at once', async () => {
    const { connect, next } = byHand()
    const desktop = new Desktop(connect)
    void desktop.run()
    const cut = (await next()).open()
    await turn()
    let runs = 0
    const stop = desktop.whileOpen(async () => void runs++)
    expect(runs).toBe(1)
    stop()
    cut()
    await turn()
    ;(await next()).open()
    await turn()
    expect(runs).toBe(1)
  })

  test('without a connection a call fails with what to do', () => {
    const desktop = new Desktop(() => new Promise(() => {}))
    expect(() => desktop.client).toThrow(HoldfastError)
    expect(asErrorDoc(new ORPCError('host-key-changed', { message: 'm', data: { hint: 'h' } }))).toMatchObject({
      code: 'host-key-changed',
      message: 'm',
      hint: 'h',
    })
    expect(asErrorDoc(new Error('odd')).code).toBe('internal')
  })
})
