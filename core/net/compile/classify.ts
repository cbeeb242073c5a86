import { cookieOf } from './cookie.ts'
import { drop, goOn, join, set, type Emit } from './emit.ts'
import { switchPorts } from './tables.ts'
import { emitFromVlans } from './vlans.ts'
import type { HostView } from './view.ts'

/** Which network a packet is in: by the port that sent it, or by the tunnel's key. */
export function emitClassify(view: HostView, emit: Emit): void {
  emitFromVlans(view, emit)
  for (const port of view.localPorts) {
    if (port.attach.kind === 'vlan') continue
    const { vni } = view.index.networks.get(port.network)!
    const actions = join(set('reg0', vni), set('reg1', port.number), set('reg10', vni), goOn('portSecurity'))
    emit('classify', 100, cookieOf('none', 'port', port.name), `in_port=${port.number}`, actions)
  }
  for (const network of view.localNetworks) {
    const match = `tun_id=${network.vni},in_port=${switchPorts[network.tunnel]}`
    emit('classify', 100, cookieOf('none', 'network', network.name), match, join(set('reg0', network.vni), set('reg9', 1), goOn('fdb')))
  }
  for (const tunnel of ['vxlan', 'gre'] as const) emit('classify', 1, cookieOf('wrong-vni', 'pipeline', ''), `in_port=${switchPorts[tunnel]}`, drop)
}
