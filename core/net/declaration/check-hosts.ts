import type { NetworkHost, Port } from '../../model/network.ts'
import { cidrHasIp, formatCidr, parseIp } from '../address.ts'
import { checkMac, unusable } from './check-addresses.ts'
import type { Draft } from './draft.ts'
import { gatewaysAmong, vlanOf } from './gateways.ts'

/** Whether hosts are what they are declared to be, and ports are on hosts that can have them. */
export function checkHosts(draft: Draft): void {
  for (const host of draft.network.hosts) checkHost(draft, host)
  checkTunnelEnds(draft)
  const gateways = gatewaysAmong(draft.network.hosts)
  for (const port of draft.network.ports) checkPlace(draft, port, gateways)
  checkVlans(draft, gateways)
}

function checkHost(draft: Draft, { name, roles, tunnelEnd }: NetworkHost): void {
  for (const [index, role] of roles.entries()) {
    if (roles.indexOf(role) < index) draft.report('host', name, ['roles', index], `Role ${role} is there twice`, 'Say it once.')
  }
  if (tunnelEnd) {
    if (roles.length > 0) {
      const remedy = 'Leave out roles or, if it is a host of the cluster, tunnelEnd.'
      draft.report('host', name, ['roles'], `Host ${name} has a tunnelEnd, so it is one without an agent, which cannot have roles`, remedy)
    }
    const space = unusable.find((each) => cidrHasIp(each, parseIp(tunnelEnd.ip)!))
    if (space) {
      const message = `${tunnelEnd.ip} is in ${formatCidr(space)}, which no tunnel ends in`
      draft.report('host', name, ['tunnelEnd', 'ip'], message, 'Write its address on the plane that carries tunnels.')
    }
    checkMac(draft, ['host', name, ['tunnelEnd', 'mac']], tunnelEnd.mac, 'Write the one that answers there.')
  }
  // That a host has left, or come, is no reason to refuse a document which does not speak of it.
  if (!draft.isDeclared('host', name)) return
  const isMember = draft.hosts.includes(name)
  if (tunnelEnd && isMember) {
    const remedy = 'Leave out tunnelEnd, or declare a host without an agent by another name.'
    draft.report('host', name, ['tunnelEnd'], `Host ${name} is one of the cluster: its agent says where its tunnels end`, remedy)
  }
  if (!tunnelEnd && !isMember) {
    const remedy = `Choose one of the cluster's: ${membersOf(draft)}. A host without an agent needs a tunnelEnd.`
    draft.report('host', name, [], `There is no host ${name} in the cluster`, remedy)
  }
}

function checkTunnelEnds(draft: Draft): void {
  const owners = new Map<string, string>()
  for (const { name, tunnelEnd } of draft.network.hosts) {
    if (!tunnelEnd) continue
    const owner = owners.get(tunnelEnd.ip)
    if (owner === undefined) owners.set(tunnelEnd.ip, name)
    else draft.report('host', name, ['tunnelEnd', 'ip'], `The tunnels of host ${owner} end at ${tunnelEnd.ip} already`, 'Write another.')
  }
}

/** Each kind of attachment asks something else of its host. */
function checkPlace(draft: Draft, port: Port, gateways: readonly string[]): void {
  const { name, host, attach } = port
  const isWithoutAgent = draft.networkHosts.get(host)?.tunnelEnd !== undefined && !draft.hosts.includes(host)
  if (attach.kind === 'remote') checkRemote(draft, port)
  else if (isWithoutAgent) {
    const remedy = `Attach {kind: remote}, or choose a host of the cluster: ${membersOf(draft)}.`
    draft.report('port', name, ['host'], `Host ${host} has no agent that could attach a ${attach.kind}`, remedy)
  } else if (attach.kind === 'vlan') {
    if (!gateways.includes(host)) reportNoGateway(draft, port, gateways)
  } else if (draft.isDeclared('port', name) && !draft.hosts.includes(host)) {
    // That a host has left is no reason to refuse a document which does not speak of its ports.
    draft.report('port', name, ['host'], `There is no host ${host}`, `Choose one of the cluster's: ${membersOf(draft)}.`)
  }
}

function membersOf(draft: Draft): string {
  return draft.hosts.join(', ') || 'it has none'
}

function checkRemote(draft: Draft, { name, host }: Port): void {
  const declared = draft.networkHosts.get(host)
  if (declared?.tunnelEnd) return
  if (!declared && !draft.hosts.includes(host)) return draft.reportMissing('port', name, ['host'], { kind: 'host', name: host })
  const message = `Host ${host} has no tunnelEnd: only at a host without an agent is anything remote`
  draft.report('port', name, ['attach'], message, 'Attach something else, or name another host.')
}

function reportNoGateway(draft: Draft, { name, host }: Port, gateways: readonly string[]): void {
  if (draft.isDeleted('host', host)) return draft.reportMissing('port', name, ['host'], { kind: 'host', name: host })
  if (gateways.length > 0) {
    draft.report('port', name, ['host'], `Host ${host} is no gateway`, `Leave host out, or choose a gateway: ${gateways.join(', ')}.`)
  } else {
    const remedy = 'Declare one, as in hosts: [{name: h1, roles: [gateway]}].'
    draft.report('port', name, ['attach'], 'No host has the role gateway, which joins VLANs to networks', remedy)
  }
}

/** What comes from a VLAN is one network's, and one gateway at a time forwards it. */
function checkVlans(draft: Draft, gateways: readonly string[]): void {
  const owners = new Map<string, Port>()
  for (const port of draft.whole.ports) {
    const vlan = vlanOf(port)
    if (vlan === undefined) continue
    const owner = owners.get(vlan)
    if (!owner) owners.set(vlan, port)
    else if (owner.network !== port.network) {
      const message = `${vlan} is joined to network ${owner.network} already, by port ${owner.name}`
      draft.report('port', port.name, ['attach'], message, 'Join a VLAN to one network.')
    } else if (owner.host !== port.host && [owner, port].every(({ host }) => gateways.includes(host))) {
      const message = `${vlan} is at gateway ${owner.host}, by port ${owner.name}`
      draft.report('port', port.name, ['host'], message, `Write ${owner.host} too, or leave host out.`)
    }
  }
}
