import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TraceHop, TraceRequest, TraceResult } from '../../core/model/trace.ts'
import { labCapture, labDown, labFault } from '../../lab/lab.ts'
import { labUpFull } from '../deploy/lab.ts'
import { createServices } from '../main.ts'
import type { Services } from '../services.ts'

const name = `casttrace${process.pid}`
const home = mkdtempSync(join(tmpdir(), 'holdfast-cast-trace-'))
let services: Services

const hall = (mode: string): string => `
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1, broadcast: ${mode}}
vips:
  - {name: web-vip, network: web, ip: 10.20.1.100, ports: [web-1]}
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, host: h1, attach: {kind: netns}}
  - {name: web-2, network: web, ip: 10.20.1.12, host: h2, attach: {kind: netns}}
  - {name: web-3, network: web, ip: 10.20.1.13, host: h3, attach: {kind: netns}}
  - {name: web-4, network: web, ip: 10.20.1.14, host: h3, attach: {kind: netns}}
`

beforeAll(async () => {
  services = await createServices({ home })
  await labUpFull(services, { name, hosts: 3, onStep: () => undefined })
})

afterAll(async () => {
  await services[Symbol.asyncDispose]()
  await labDown({ name })
  rmSync(home, { recursive: true, force: true })
})

const apply = (mode: string) => services.desktop.network.apply({ declaration: hall(mode), prune: false })
const live = (asked: Partial<TraceRequest> & { from: string; to: string }) => services.desktop.network.trace({ ...asked, mode: 'live' })
const inside = (where: string, ...argv: string[]) => labCapture({ name, host: where, argv })
const question = { from: 'web-3', to: 'web-vip', proto: 'arp' } as const

const fates = ({ copies = [] }: TraceResult): string[] => copies.map(({ host, port, verdict }) => `${host} ${port} ${verdict}`).sort()
const all = ['h1 web-1 delivered', 'h2 web-2 delivered', 'h3 web-4 delivered']
const isSeen = ({ evidence }: TraceHop): boolean => evidence === 'seen'
const nodeOf = ({ hops }: TraceResult): string | undefined => hops.find(({ action }) => action === 'replicated')?.host

/** A live trace of the question that holds what is asked of it: on a starved machine a tap may stand too late. */
async function asked(holds: (result: TraceResult) => boolean): Promise<TraceResult> {
  let result!: TraceResult
  await expect
    .poll(async () => holds((result = await live(question))), { timeout: 90_000, interval: 1000 })
    .toBe(true)
    .catch(() => undefined)
  return result
}

describe('a live trace of a question for a VIP', () => {
  it('shows the broadcast node and every copy, seen at its port', async () => {
    await apply('cluster')
    await inside('web-1', 'ip', 'address', 'add', '10.20.1.100/32', 'dev', 'eth0')
    const cables = ({ hops }: TraceResult) => hops.filter(({ kind, host }) => kind === 'physical' && host.startsWith('h'))
    const result = await asked((one) => one.verdict === 'delivered' && String(fates(one)) === String(all) && cables(one).every(isSeen))
    expect(result).toMatchObject({ verdict: 'delivered', drop: null })
    expect(fates(result)).toEqual(all)
    expect(['h1', 'h2']).toContain(nodeOf(result))
    expect(cables(result).filter((hop) => !isSeen(hop))).toEqual([])
    expect(result.hops.find(({ device, leg }) => device === 'br-int' && leg === 'forward')?.explanation).toContain('group:')
  })

  it('shows every copy where the sender’s host makes them', async () => {
    await apply('source')
    const result = await asked((one) => one.verdict === 'delivered' && String(fates(one)) === String(all))
    expect(result.verdict).toBe('delivered')
    expect(nodeOf(result)).toBeUndefined()
    expect(fates(result)).toEqual(all)
  })

  it('goes by the node that the sender’s switch takes when the first one is off, and shows which copy is lost', async () => {
    await apply('cluster')
    const first = nodeOf(await asked((one) => nodeOf(one) !== undefined))!
    const second = first === 'h1' ? 'h2' : 'h1'
    await labFault({ name, host: first, fault: 'power-off' })
    // At once, before anybody has missed the host's heartbeats: its switch has.
    const lands = ({ copies }: TraceResult) => copies?.find(({ host }) => host === second)?.verdict
    const result = await asked((one) => nodeOf(one) === second && lands(one) === 'delivered')
    expect(nodeOf(result)).toBe(second)
    expect(lands(result)).toBe('delivered')
    expect(result.copies!.find(({ host }) => host === first)!.verdict).not.toBe('delivered')
  })
})
