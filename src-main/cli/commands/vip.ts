import type { VipDoc } from '../../../core/contract/desktop/broadcast.ts'
import { HoldfastError } from '../../../core/errors.ts'
import { isContested } from '../../../core/status/vips.ts'
import { flag } from '../options.ts'
import { table } from '../output.ts'
import { withServices } from '../services.ts'
import type { Call } from '../table.ts'
import { seenText } from './inventory.ts'

/** `vip list`. */
export async function list(call: Call): Promise<void> {
  await withServices(call, async ({ desktop }) => {
    const { vips, ...seen } = await desktop.broadcast.vips({ offline: flag(call, 'offline') })
    const rows = vips.map((vip) => [vip.name, vip.network, vip.ip, vip.owner?.port, vip.owner?.host, vip.owner?.since, warningsOf(vip).join(', ')])
    const lines = vips.length === 0 ? 'No VIPs.' : table(['NAME', 'NETWORK', 'IP', 'OWNER', 'HOST', 'SINCE', 'WARNING'], rows)
    call.out.answer(vips, () => `${lines}\n${seenText(seen)}`)
  })
}

/** `vip show NAME`. */
export async function show(call: Call): Promise<void> {
  await answerOne(call, (vip) => {
    const { owner } = vip
    return [
      `${vip.name}: ${vip.ip} in ${vip.network}`,
      owner === null ? 'Nobody was seen to have it.' : `At ${owner.port} on ${owner.host} since ${owner.since}, epoch ${owner.epoch}.`,
      `May have it: ${vip.allowed.join(', ')}.`,
      ...(isContested(vip) ? [`Claimed at once by ${vip.claimants.map(placeText).join(' and ')}: the later epoch wins.`] : []),
      ...(vip.damped ? ['It moved so often that moves are held back.'] : []),
      ...vip.refused.map(({ port, at, count }) => `Refused: ${port} claimed it ${count} ${count === 1 ? 'time' : 'times'}, last at ${at}.`),
      ...(vip.unwell ?? []).map(({ port, why }) => `Cannot have it now: ${port}: ${why}.`),
      ...(vip.history.length > 0 ? [historyText(vip)] : []),
    ].join('\n')
  })
}

/** `vip history NAME`. */
export async function history(call: Call): Promise<void> {
  await answerOne(
    call,
    (vip) => (vip.history.length === 0 ? `${vip.name} has not moved.` : historyText(vip)),
    (vip) => vip.history,
  )
}

/** Answers what is asked of the VIP that the first argument names. */
async function answerOne(call: Call, text: (vip: VipDoc) => string, document: (vip: VipDoc) => unknown = (vip) => vip): Promise<void> {
  const name = call.args[0] ?? ''
  await withServices(call, async ({ desktop }) => {
    const { vips, ...seen } = await desktop.broadcast.vips({ offline: flag(call, 'offline') })
    const vip = vips.find((known) => known.name === name)
    if (!vip) throw new HoldfastError('not-found', `There is no VIP ${name}`, 'See: holdfast vip list.', { vip: name })
    call.out.answer(document(vip), () => `${text(vip)}\n${seenText(seen)}`)
  })
}

function warningsOf(vip: VipDoc): string[] {
  const refused = vip.refused.reduce((sum, { count }) => sum + count, 0)
  return [...(isContested(vip) ? ['claimed twice'] : []), ...(vip.damped ? ['damped'] : []), ...(refused > 0 ? [`${refused} claims refused`] : [])]
}

function placeText({ port, host, mac }: VipDoc['claimants'][number]): string {
  return `${port ?? mac}${host === null ? '' : ` on ${host}`}`
}

function historyText({ history: drifts }: VipDoc): string {
  const rows = drifts.map(({ at, from, to, outageMs }) => [at, from, to, outageMs === null ? null : `${outageMs} ms`])
  return table(['AT', 'FROM', 'TO', 'OUTAGE'], rows)
}
