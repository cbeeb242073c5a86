import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BroadcastMode } from '../core/model/network.ts'
import { startKeepalived, type VirtualRouter } from '../lab/keepalived.ts'
import { labCapture } from '../lab/lab.ts'
import { until, type NetworkLab } from './network-lab.ts'
import type { Outage } from './vip-guest.ts'

const vip = '10.20.1.100'
const routerId = 51
const program = join(import.meta.dirname, 'vip-guest.ts')
const inHost = '/tmp/vip-guest.ts'
/** Another name of the agent's Node: what runs by that is none of the agent's processes, which may be hung. */
const node = '/tmp/node'
const linkNode = `test -e ${node} || ln /opt/holdfast/current/bin/node ${node}`

/**
 * Two guests that may have a floating address, the first of which has it when all is well; a client on either layer on a third host, which
 * hears the address announced, and one on layer 3 on a fourth, which has no port in that network and does not.
 */
export const places = { 'web-1': 'h1', 'web-2': 'h2', 'web-3': 'h3', 'db-1': 'h3', 'db-2': 'h4' } as const
export type Guest = keyof typeof places
export const claimants = ['web-1', 'web-2'] as const

/** Those of them that a lab with so many hosts has. */
export function guestsIn(hosts: number): Guest[] {
  return (Object.keys(places) as Guest[]).filter((guest) => Number(places[guest].slice(1)) <= hosts)
}

/** The network of those, with broadcast in one of its ways. */
export function declarationIn(mode: BroadcastMode, hosts: number): string {
  const addresses: Record<Guest, string> = { 'web-1': '1.11', 'web-2': '1.12', 'web-3': '1.13', 'db-1': '2.11', 'db-2': '2.12' }
  const port = (name: Guest): string =>
    `  - {name: ${name}, network: ${name.split('-')[0]}, ip: 10.20.${addresses[name]}, host: ${places[name]}, attach: {kind: netns}}`
  return [
    'networks:',
    `  - {name: web, vpc: shop, subnet: 10.20.1.0/24, gateway: 10.20.1.1, broadcast: ${mode}}`,
    '  - {name: db, vpc: shop, subnet: 10.20.2.0/24, gateway: 10.20.2.1}',
    'routers:',
    '  - {name: shop, vpc: shop, networks: [web, db]}',
    'ports:',
    ...guestsIn(hosts).map(port),
    'vips:',
    `  - {name: web-vip, network: web, ip: ${vip}, ports: [${claimants.join(', ')}]}`,
  ].join('\n')
}

/** A client of the floating address. */
export interface Client {
  /** What it saw since it was asked last. */
  ask(): Promise<Outage>
}

/** Starts what probes the address from a guest, each millisecond. */
export async function startClient(lab: NetworkLab, guest: Guest): Promise<Client> {
  const next = await startInside(lab, guest, 'probe', vip)
  return { ask: async () => JSON.parse(await next('\n')) as Outage }
}

/** Starts keepalived and what answers at the address in a guest that may have it; both end with the guest. */
export async function startClaimant(lab: NetworkLab, guest: (typeof claimants)[number], advertIntervalMs: number): Promise<void> {
  const place = { name: lab.lab.name, host: guest }
  // Of a guest that has died: its numbers of processes mean others now.
  await labCapture({ ...place, argv: ['rm', '-rf', `/run/keepalived-${guest}-${routerId}`] })
  await startInside(lab, guest, 'answer', vip, guest)
  const router: VirtualRouter = { id: routerId, priority: guest === claimants[0] ? 200 : 100, advertIntervalMs, address: `${vip}/24` }
  await startKeepalived(place, router)
}

async function startInside(lab: NetworkLab, guest: Guest, ...args: string[]): Promise<(line: string) => Promise<string>> {
  writeFileSync(join(`/proc/${await lab.initPid(places[guest])}/root`, inHost), readFileSync(program))
  await lab.inside(places[guest], 'sh', '-c', linkNode)
  const child = await lab.start(guest, node, inHost, ...args)
  // A guest that dies takes it along.
  child.stdin.on('error', () => undefined)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`${args.join(' ')} in ${guest} has ended`)
    return value
  }
  await next()
  return (line) => {
    child.stdin.write(line)
    return next()
  }
}

/** Whether a program can be run in a guest. */
async function isThere(lab: NetworkLab, guest: Guest): Promise<boolean> {
  return (await labCapture({ name: lab.lab.name, host: guest, argv: ['true'] })).code === 0
}

/** Returns when a guest runs (again). */
export async function guestRuns(lab: NetworkLab, guest: Guest): Promise<void> {
  await until(`the guest ${guest}`, async () => ((await isThere(lab, guest)) ? true : null))
}

/** Returns when one guest has answered all of these clients for a while. */
export async function servedBy(clients: readonly Client[], guest: Guest, calmMs: number): Promise<void> {
  let calm = 0
  await until(
    `an answer of ${guest} to each client`,
    async () => {
      const seen = await Promise.all(clients.map((client) => client.ask()))
      const well = seen.every(({ from, openMs, longestMs, answers }) => from === guest && openMs === 0 && longestMs < calmMs / 2 && answers > 0)
      calm = well ? calm + 1 : 0
      return calm >= 5 || null
    },
    calmMs / 5,
  )
}

/** Ends what keepalived there is in a guest, and what answers. */
export async function endClaimant(lab: NetworkLab, guest: Guest): Promise<void> {
  await inGuest(lab, guest, 'TERM')
  await sleep(500)
  await inGuest(lab, guest, 'KILL')
}

/** Signals all that runs in a guest but its process 1. */
export async function inGuest(lab: NetworkLab, guest: Guest, signal: 'STOP' | 'CONT' | 'TERM' | 'KILL'): Promise<void> {
  // kill(2): -1 is everyone in this PID namespace but process 1 and the caller.
  await lab.inside(guest, 'sh', '-c', `kill -${signal} -1 || true`)
}
