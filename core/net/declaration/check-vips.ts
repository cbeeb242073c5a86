import type { Vip } from '../../model/network.ts'
import { checkUsable } from './check-addresses.ts'
import type { Draft } from './draft.ts'

/** Whether VIPs have addresses of their networks, and ports that can have them. That an address is nobody else's is checked with the ports'. */
export function checkVips(draft: Draft): void {
  for (const vip of draft.network.vips) {
    const network = draft.networks.get(vip.network)
    if (network) checkUsable(draft, 'vip', vip.name, 'ip', vip.ip, network)
    else draft.reportMissing('vip', vip.name, ['network'], { kind: 'network', name: vip.network })
    checkPorts(draft, vip)
    for (const port of Object.keys(vip.priorities ?? {})) {
      if (vip.ports.includes(port)) continue
      draft.report('vip', vip.name, ['priorities', port], `${port} is none of its ports`, `Add it to ports, or write one of ${vip.ports.join(', ')}.`)
    }
  }
}

function checkPorts(draft: Draft, { name, network, ports, healthCheck }: Vip): void {
  const remedy = `Name ports of network ${network}.`
  if (ports.length === 0) draft.report('vip', name, ['ports'], 'It has no ports: nobody could ever have it', remedy)
  for (const [index, portName] of ports.entries()) {
    const field = ['ports', index]
    const port = draft.ports.get(portName)
    if (ports.indexOf(portName) < index) draft.report('vip', name, field, `Port ${portName} is there twice`, 'Say it once.')
    else if (!port) draft.reportMissing('vip', name, field, { kind: 'port', name: portName })
    else if (port.network !== network && draft.networks.has(network)) {
      draft.report('vip', name, field, `Port ${portName} is in network ${port.network}, but the VIP in ${network}`, remedy)
    } else if (healthCheck && 'command' in healthCheck && ['vlan', 'remote'].includes(port.attach.kind)) {
      const message = `Port ${portName} is no guest: no command can be run there`
      draft.report('vip', name, ['healthCheck', 'command'], message, 'Write tcp or http, or leave that port out.')
    }
  }
}
