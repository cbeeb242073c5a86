import { HoldfastError } from '../../core/errors.ts'
import type { VirtualNetwork } from '../../core/model/network.ts'
import { runProgram } from '../runtime/programs.ts'
import { deviceOf, vlansAt } from './local-ports.ts'

interface VlanLink {
  ifname: string
  link?: string
  linkinfo?: { info_data?: { id?: number } }
}

/** The kernel's devices for the VLANs that this host is a gateway of: what the switch has as their ports. */
export class VlanDevices {
  /** What is in place; null: not looked yet. */
  #done: string | null = null

  /** Makes exactly these be there. Answers what cannot be, in a sentence each. */
  async converge(network: VirtualNetwork, host: string): Promise<string[]> {
    const wanted = vlansAt(network, host).map(({ nic, vlan, ports }) => ({ device: deviceOf(ports[0]!), nic, vlan }))
    const text = JSON.stringify(wanted)
    if (text === this.#done || (this.#done === null && wanted.length === 0 && !(await vlanLinks()).some(isOurs))) {
      this.#done = text
      return []
    }
    const there = (await vlanLinks()).filter(isOurs)
    const right = ({ ifname, link, linkinfo }: VlanLink): boolean =>
      wanted.some(({ device, nic, vlan }) => device === ifname && nic === link && vlan === linkinfo?.info_data?.id)
    for (const one of there) if (!right(one)) await runProgram(['ip', 'link', 'delete', 'dev', one.ifname])
    const problems: string[] = []
    for (const { device, nic, vlan } of wanted) {
      try {
        if (!there.some((one) => one.ifname === device && right(one)))
          await runProgram(['ip', 'link', 'add', 'link', nic, 'name', device, 'type', 'vlan', 'id', String(vlan)])
        await runProgram(['ip', 'link', 'set', 'dev', device, 'up'])
      } catch (cause) {
        const why = cause instanceof HoldfastError ? cause.message : String(cause)
        problems.push(`VLAN ${vlan} of ${nic} could not be made ready on ${host}: ${why}`)
      }
    }
    // What failed is tried again.
    this.#done = problems.length > 0 ? null : text
    return problems
  }
}

/** Guests' cables have the same names, but are no VLANs. */
function isOurs({ ifname }: VlanLink): boolean {
  return /^hf\d+$/.test(ifname)
}

async function vlanLinks(): Promise<VlanLink[]> {
  return JSON.parse((await runProgram(['ip', '-json', '-details', 'link', 'show', 'type', 'vlan'])) || '[]') as VlanLink[]
}
