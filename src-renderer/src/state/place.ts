/** Where the window is: every place has an address, `#/lab/host/h2` in the window, `holdfast://lab/host/h2` outside it. */

export const screens = [
  'overview',
  'hosts',
  'networks',
  'topology',
  'trace',
  'reachability',
  'capture',
  'plan',
  'events',
  'tasks',
  'audit',
  'host',
  'add-host',
] as const
export type Screen = (typeof screens)[number]

/** Screens that cannot stand beside another. */
const alone: readonly Screen[] = ['host', 'add-host', 'plan']

/** What an address of the screen `trace` may say of the packet. */
const traceKeys = ['from', 'to', 'proto', 'sport', 'dport', 'ttl', 'sizeBytes', 'sourceMac', 'sourceIp', 'deliver', 'mode'] as const
export type TraceKey = (typeof traceKeys)[number]
export type TraceQuery = Partial<Record<TraceKey, string>>

/** What an address of the screen `reachability` may say: the VPC, and what is asked of every pair, as `tcp/22`. */
const reachKeys = ['vpc', 'probe'] as const
export type ReachQuery = Partial<Record<(typeof reachKeys)[number], string>>

/** An object of the inventory: its kind and its id within that kind. */
export interface Ref {
  kind: string
  id: string
}

/** Stands where a cluster's name would, while none is known. No cluster can be called so. */
const noContext = '-'

export interface Place {
  /** The cluster's context; empty before the first one is known. */
  context: string
  screen: Screen
  /** The host shown by the screen `host`. */
  host?: string
  select?: Ref
  /** A second screen beside the first. */
  beside?: Screen
  /** The packet that is traced, where the trace is on the screen. */
  trace?: TraceQuery
  /** Whose reachability is shown, where it is on the screen. */
  reach?: ReachQuery
}

/** `kind/id` as events and links write it; an id may hold slashes of its own. */
export function parseRef(text: string): Ref | undefined {
  const slash = text.indexOf('/')
  return slash > 0 && slash < text.length - 1 ? { kind: text.slice(0, slash), id: text.slice(slash + 1) } : undefined
}

export const refText = (ref: Ref): string => `${ref.kind}/${ref.id}`

export const sameRef = (a: Ref | undefined, b: Ref | undefined): boolean => a?.kind === b?.kind && a?.id === b?.id

/** The screen on which an object is at home, with the object selected. */
export function homeOf(context: string, ref: Ref): Place {
  switch (ref.kind) {
    case 'host':
      return { context, screen: 'host', host: ref.id }
    // Facets of a host have no page and no name of their own.
    case 'member':
    case 'facts':
      return { context, screen: 'host', host: ref.id }
    case 'nic':
    case 'disk':
    case 'module':
    case 'path':
    case 'forwarding':
      return { context, screen: 'host', host: ref.id.split('/')[0]!, select: ref }
    case 'vpc':
    case 'network':
    case 'router':
    case 'peering':
    case 'acl':
    case 'port':
    case 'vip':
      return { context, screen: 'networks', select: ref }
    case 'networkHost':
      return { context, screen: 'topology', select: ref }
    case 'overlay':
      return { context, screen: 'networks' }
    case 'hop':
      return { context, screen: 'trace', select: ref }
    case 'pair':
      return { context, screen: 'reachability', select: ref }
    // What a NIC hears is told where the NIC is.
    case 'neighbour':
      return homeOf(context, { kind: 'nic', id: ref.id })
    case 'cluster':
      return { context, screen: 'overview' }
    case 'switch':
    case 'link':
      return { context, screen: 'topology', select: ref }
    case 'task':
      return { context, screen: 'tasks', select: ref }
    case 'audit':
      return { context, screen: 'audit', select: ref }
    case 'event':
      return { context, screen: 'events', select: ref }
    default:
      return { context, screen: 'overview', select: ref }
  }
}

/** Reads `/lab/host/h2?select=nic/h2/storage&beside=events`; whatever it cannot read becomes the overview. */
export function parsePlace(address: string): Place {
  const mark = address.indexOf('?')
  const [path, query] = mark < 0 ? [address, ''] : [address.slice(0, mark), address.slice(mark + 1)]
  const [named = '', first, ...rest] = path.split('/').filter(Boolean).map(decode)
  const context = named === noContext ? '' : named
  const parameters = new URLSearchParams(query)
  const select = parseRef(parameters.get('select') ?? '')
  const beside = screens.find((screen) => screen === parameters.get('beside') && !alone.includes(screen))
  const shows = (screen: Screen): boolean => first === screen || beside === screen
  const trace: TraceQuery = shows('trace') ? valuesOf(parameters, traceKeys) : {}
  const reach: ReachQuery = shows('reachability') ? valuesOf(parameters, reachKeys) : {}
  const extra = {
    ...(select && { select }),
    ...(beside && { beside }),
    ...(Object.keys(trace).length > 0 && { trace }),
    ...(Object.keys(reach).length > 0 && { reach }),
  }
  if (!first) return { context, screen: 'overview', ...extra }
  if (first === 'host' && rest[0]) return { context, screen: 'host', host: rest.join('/'), ...extra }
  const screen = screens.find((name) => name === first && name !== 'host')
  if (screen && rest.length === 0) return { context, screen, ...extra }
  if (rest.length > 0) return { ...homeOf(context, { kind: first, id: rest.join('/') }), ...extra }
  return { context, screen: 'overview' }
}

const valuesOf = <K extends string>(parameters: URLSearchParams, keys: readonly K[]): Partial<Record<K, string>> =>
  Object.fromEntries(keys.flatMap((key) => (parameters.has(key) ? [[key, parameters.get(key)!]] : []))) as Partial<Record<K, string>>

/** The inverse of `parsePlace`. */
export function placeAddress(place: Place): string {
  const context = place.context || noContext
  const parts = place.screen === 'overview' ? [context] : place.screen === 'host' ? [context, 'host', place.host ?? ''] : [context, place.screen]
  const query = [
    place.select && `select=${encodeURIComponent(refText(place.select)).replaceAll('%2F', '/')}`,
    place.beside && `beside=${place.beside}`,
    ...traceKeys.map((key) => place.trace?.[key] !== undefined && `${key}=${encodeURIComponent(place.trace[key])}`),
    ...reachKeys.map((key) => place.reach?.[key] !== undefined && `${key}=${encodeURIComponent(place.reach[key])}`),
  ]
    .filter(Boolean)
    .join('&')
  return `/${parts.filter(Boolean).map(encodeURIComponent).join('/')}${query && `?${query}`}`
}

/** The address by which other programs open this place. */
export const deepLink = (place: Place): string => `holdfast:/${placeAddress(place)}`

/** The part of a `holdfast://` link that `parsePlace` reads; null for anything else. */
export const fromDeepLink = (link: string): string | null => (link.startsWith('holdfast://') ? link.slice('holdfast:/'.length) : null)

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
