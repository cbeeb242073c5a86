import { listKindSchema, type Listing, type ListKind } from '../../../core/contract/desktop/inventory.ts'
import { age, table } from '../output.ts'
import { flag, wholeNumber } from '../options.ts'
import { UsageError } from '../parse.ts'
import { withServices } from '../services.ts'
import { statusText } from '../status-text.ts'
import type { Call } from '../table.ts'

/** `status`: the cluster at a glance. */
export async function status(call: Call): Promise<void> {
  await withServices(call, async ({ desktop }) => {
    const document = await desktop.inventory.status()
    call.out.answer(document, () => statusText(document))
  })
}

/** `inventory list KIND`. */
export async function list(call: Call): Promise<void> {
  const kind = listKindSchema.safeParse(call.args[0])
  if (!kind.success) throw new UsageError(`There is no kind ${JSON.stringify(call.args[0])}`, `Kinds are ${listKindSchema.options.join(', ')}.`)
  await withServices(call, async ({ desktop }) => {
    const listing = await desktop.inventory.list({ kind: kind.data, offline: flag(call, 'offline') })
    call.out.answer(listing, () => listingText(listing))
  })
}

/** `search WORDS…`. */
export async function search(call: Call): Promise<void> {
  const limit = wholeNumber(call, 'limit')
  await withServices(call, async ({ desktop }) => {
    const hits = await desktop.inventory.search({ query: call.args.join(' '), ...(limit === undefined ? {} : { limit }) })
    call.out.answer(hits, () =>
      hits.length === 0
        ? 'Nothing found.'
        : table(
            ['KIND', 'ID', 'TITLE', 'DETAIL'],
            hits.map((hit) => [hit.kind, hit.id, hit.title, hit.detail]),
          ),
    )
  })
}

/** `events [--follow]`. */
export async function events(call: Call): Promise<void> {
  await withServices(call, async ({ desktop }) => {
    const listing = await desktop.inventory.list({ kind: 'events', offline: false })
    const follow = flag(call, 'follow')
    const past = listing.items.toSorted(byTime)
    if (!follow) return call.out.answer({ ...listing, items: past }, () => past.map(eventLine).join('\n') || 'No events yet.')
    const seen = new Set<string>()
    const show = (id: string, event: Record<string, unknown>) => {
      if (seen.has(id)) return
      seen.add(id)
      call.out.answer(event, () => eventLine(event))
    }
    for (const event of past) show(String(event['id'] ?? JSON.stringify(event)), event)
    const stop = new AbortController()
    process.once('SIGINT', () => stop.abort())
    try {
      for await (const frame of await desktop.inventory.feed(undefined, { signal: stop.signal })) {
        const fresh = (frame.type === 'snapshot' ? frame.items : frame.puts).filter(({ kind }) => kind === 'event')
        for (const { id, doc } of fresh.toSorted((one, other) => byTime(one.doc, other.doc))) show(id, { id, ...doc })
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error
    }
  })
}

function byTime(one: Record<string, unknown>, other: Record<string, unknown>): number {
  return Number(one['atMs'] ?? 0) - Number(other['atMs'] ?? 0)
}

function eventLine(event: Record<string, unknown>): string {
  const at = new Date(Number(event['atMs'] ?? 0)).toISOString()
  return `${at}  ${String(event['severity'] ?? '').padEnd(7)}  ${String(event['origin'] ?? '').padEnd(8)}  ${String(event['message'] ?? '')}`
}

/** Columns that a person wants first, by kind; the JSON has all. */
const columns: Record<ListKind, string[]> = {
  hosts: ['name', 'state', 'addresses', 'role'],
  nics: ['host', 'name', 'plane', 'state', 'mac', 'addresses'],
  disks: ['host', 'name', 'sizeBytes', 'model', 'health'],
  switches: ['name', 'chassisId', 'ports'],
  links: ['host', 'nic', 'switch', 'port', 'plane', 'state'],
  members: ['host', 'state', 'raftLeader', 'version'],
  modules: ['host', 'name', 'version', 'state', 'restarts'],
  events: ['atMs', 'severity', 'origin', 'message'],
  paths: ['from', 'to', 'plane', 'state'],
  tasks: ['id', 'title', 'state'],
  vpcs: ['name'],
  networks: ['name', 'vpc', 'vni', 'subnet', 'gateway', 'subnet6', 'tunnel', 'mtuBytes'],
  routers: ['name', 'vpc', 'networks', 'mac'],
  peerings: ['name', 'routers'],
  acls: ['name', 'network', 'port', 'direction', 'priority', 'match', 'action'],
  ports: ['name', 'network', 'ip', 'ip6', 'mac', 'host'],
  vips: ['name', 'network', 'ip', 'ports'],
  forwarding: ['host', 'state', 'revision', 'datapath', 'flows', 'ports', 'problems'],
  audit: ['number', 'atMs', 'actor', 'action', 'outcome', 'about'],
}

/** A listing as a table, with its age below it. */
export function listingText({ kind, items, ageMs, asOf }: Listing): string {
  const names = columns[kind]
  const rows = items.map((item) => names.map((name) => cell(name, item[name])))
  return `${
    items.length === 0
      ? `No ${kind}.`
      : table(
          names.map((name) => name.replace(/(Ms|Bytes)$/, '').toUpperCase()),
          rows,
        )
  }\n${seenText({ asOf, ageMs })}`
}

/** When what is shown was heard, and how old it is. */
export function seenText({ asOf, ageMs }: Pick<Listing, 'asOf' | 'ageMs'>): string {
  return asOf === null ? 'never seen' : `as of ${asOf}, ${age(ageMs)} old`
}

function cell(name: string, value: unknown): string {
  if (value === undefined || value === null) return ''
  if (name === 'atMs') return new Date(Number(value)).toISOString()
  if (name === 'sizeBytes') return `${(Number(value) / 1e9).toFixed(1)} GB`
  if (name === 'ports' && Array.isArray(value) && typeof value[0] === 'object') return String(value.length)
  if (Array.isArray(value)) return value.join(' ')
  if (typeof value === 'object') return Object.values(value).join(' ')
  return String(value)
}
