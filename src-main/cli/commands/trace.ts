import type { ReachabilityDoc } from '../../../core/contract/desktop/network.ts'
import { traceModeSchema, traceRequestSchema, type TraceHop, type TraceResult } from '../../../core/model/trace.ts'
import { table } from '../output.ts'
import { flag, option, wholeNumber } from '../options.ts'
import { readDeclaration } from './network.ts'
import { UsageError } from '../parse.ts'
import { withServices } from '../services.ts'
import type { Call } from '../table.ts'

/** `trace --from PORT --to ADDRESS …`: exits 0 whatever the verdict is. */
export async function trace(call: Call): Promise<void> {
  const mode = traceModeSchema.safeParse(option(call, 'mode') ?? 'both')
  if (!mode.success)
    throw new UsageError(`There is no mode ${JSON.stringify(option(call, 'mode'))}`, `Modes are ${traceModeSchema.options.join(', ')}.`)
  const request = traceRequestSchema.safeParse({
    from: option(call, 'from'),
    to: option(call, 'to'),
    proto: protocol(call),
    sport: wholeNumber(call, 'sport'),
    dport: wholeNumber(call, 'dport'),
    ttl: wholeNumber(call, 'ttl'),
    sizeBytes: wholeNumber(call, 'size'),
    sourceIp: option(call, 'source-ip'),
    sourceMac: option(call, 'source-mac'),
    frame: option(call, 'frame')?.replaceAll(/[\s:]/g, '').toLowerCase(),
    deliver: flag(call, 'deliver') || undefined,
  })
  if (!request.success) {
    const [issue] = request.error.issues
    throw new UsageError(`--${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'wrong'}`, 'See: holdfast trace --help')
  }
  if (request.data.to === '' && request.data.frame === undefined)
    throw new UsageError('--to is missing: what the packet is for', 'Or give a whole --frame.')
  const declaration = planned(call)
  const verbose = flag(call, 'verbose')
  await withServices(call, async ({ desktop }) => {
    const result = await desktop.network.trace({ ...request.data, mode: mode.data, ...declaration })
    call.out.answer(result, () => traceText(result, verbose))
  })
}

/** `reachability VPC …`: all pairs, and what a plan would change. */
export async function reachability(call: Call): Promise<void> {
  const input = { vpc: call.args[0] ?? '', proto: protocol(call), dport: wholeNumber(call, 'dport'), ...planned(call) }
  await withServices(call, async ({ desktop }) => {
    const answer = await desktop.network.reachability(input as Parameters<typeof desktop.network.reachability>[0])
    call.out.answer(answer, () => reachabilityText(answer))
  })
}

function protocol(call: Call): string | number | undefined {
  const text = option(call, 'proto')
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : text
}

/** The declaration that `-f` names; nothing without it. */
function planned(call: Call): { declaration?: string; prune?: boolean } {
  return option(call, 'file') === undefined ? {} : { declaration: readDeclaration(call), prune: flag(call, 'prune') }
}

/** Pairs by the reason why they do not reach each other. */
function reachabilityText({ ports, cells, reaches, plan }: ReachabilityDoc): string {
  const counts = reaches.map(() => 0)
  for (const from of ports) for (const to of ports) if (from !== to) counts[cells[from.classNumber]![to.classNumber]!]!++
  const rows = reaches.map(({ reason, object }, index) => [reason ?? 'reached', object, counts[index]] as const).filter(([, , count]) => count)
  const lines = [
    table(
      ['PAIRS', 'REASON', 'OBJECT'],
      rows.map(([reason, object, count]) => [count, reason, object]),
    ),
  ]
  if (plan) {
    lines.push(`The plan: ${plan.lost} pairs lose it, ${plan.gained} pairs gain it.`)
    for (const { from, to, before, after } of plan.pairs.slice(0, 20)) {
      lines.push(
        after.reason === null
          ? `+ ${from} → ${to} (was ${before.reason ?? ''})`
          : `- ${from} → ${to}: ${after.reason} ${after.object ?? ''}`.trimEnd(),
      )
    }
  }
  return lines.join('\n')
}

/** The hops as a table, the verdict below it, and of a packet to many every copy. `verbose`: with its own hops, and what each switch says that it would do. */
export function traceText(result: TraceResult, verbose: boolean): string {
  const explanations = verbose
    ? result.hops.flatMap(({ n, host, device, explanation }) =>
        explanation === undefined ? [] : [`\n${n} ${device} of ${host}:\n${explanation.trim()}`],
      )
    : []
  return [hopsText(result.hops), verdictText(result), ...copiesText(result, verbose), ...explanations].join('\n')
}

function hopsText(hops: readonly TraceHop[]): string {
  const rows = hops.map((hop) => [hop.n, hop.leg === 'forward' ? '→' : '←', hop.host, hop.device, hop.action, hop.evidence, hop.detail])
  return table(['N', '', 'HOST', 'DEVICE', 'ACTION', 'EVIDENCE', 'DETAIL'], rows)
}

/** A line a copy: where it goes, where it parts from the one above, and what became of it. */
function copiesText({ copies }: TraceResult, verbose: boolean): string[] {
  if (!copies) return []
  const rows = copies.map(({ host, port, after, hops, verdict, drop, limit }) => [
    ...[host, port ?? '', hops.length === 0 ? 'above' : after],
    ...[verdict, drop ? `${drop.reason}${drop.object ? ` (${drop.object})` : ''} on ${drop.host} at ${drop.device}` : (limit ?? '')],
  ])
  const own = verbose
    ? copies.flatMap(({ host, port, hops }) => (hops.length === 0 ? [] : [`\nThe copy to ${port ?? 'any port'} of ${host}:`, hopsText(hops)]))
    : []
  return [`\n${copies.length === 1 ? '1 copy' : `${copies.length} copies`}`, table(['HOST', 'PORT', 'AFTER', 'VERDICT', 'WHY'], rows), ...own]
}

function verdictText({ verdict, drop, limit, rttMs }: TraceResult): string {
  if (verdict === 'delivered') return `Delivered${rttMs === null ? '' : ` in ${rttMs.toFixed(1)} ms there and back`}.`
  if (!drop) return `Unknown: ${limit ?? 'nothing could be observed'}.`
  return `Dropped on ${drop.host} at ${drop.device}: ${drop.reason}${drop.object ? ` (${drop.object})` : ''}.\n${drop.hint}`
}
