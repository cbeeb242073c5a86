import { maxSourceMembers } from '../broadcast/source-limit.ts'
import type { Draft, DraftNetwork } from './draft.ts'
import { gatewaysAmong } from './gateways.ts'

/** Whether the hosts that send copies of a broadcast themselves can send one to each other host of the network. */
export function checkSourceMembers(draft: Draft): void {
  const gateways = gatewaysAmong(draft.network.hosts)
  for (const network of draft.networks.values()) {
    if (network.broadcast === 'source') checkMembers(draft, network, gateways)
  }
}

function checkMembers(draft: Draft, { name, ports }: DraftNetwork, gateways: readonly string[]): void {
  const members = new Set<string>()
  let oneTooMany: string | undefined
  for (const port of ports) {
    for (const host of port.attach.kind === 'vlan' ? gateways : [port.host]) members.add(host)
    if (members.size > maxSourceMembers) oneTooMany ??= port.name
  }
  if (oneTooMany === undefined) return
  const message = `Network ${name} has ports on ${members.size} hosts, and in mode source a broadcast reaches ${maxSourceMembers} at most`
  const remedy = 'Write broadcast: cluster or cluster+garp for that network.'
  if (draft.isDeclared('network', name)) draft.report('network', name, ['broadcast'], message, remedy)
  else draft.report('port', oneTooMany, ['host'], message, remedy)
}
