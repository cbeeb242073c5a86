import type { HostRole } from '../../../core/model/network.ts'
import { filled, isName, trimmed } from './forms.ts'
import type { DeclaredItem } from './yaml-edit.ts'

/** What is declared of a host: roles of one with an agent, the end of the tunnel of one without. */
export interface HostForm {
  name: string
  kind: 'agent' | 'remote'
  roles: HostRole[]
  ip: string
  mac: string
}

export function hostItem(form: HostForm): DeclaredItem {
  const { name, ip, mac } = trimmed({ name: form.name, ip: form.ip, mac: form.mac.toLowerCase() })
  return filled({ name, ...(form.kind === 'agent' ? { roles: form.roles } : { tunnelEnd: { ip, mac } }) }) as DeclaredItem
}

/** The form of a host that a declaration has. */
export function hostFormOf(item: DeclaredItem): HostForm {
  const end = item.tunnelEnd as { ip?: string; mac?: string } | undefined
  return {
    ...{ name: item.name, kind: end ? 'remote' : 'agent', roles: (item.roles ?? []) as HostRole[] },
    ...{ ip: end?.ip ?? '', mac: end?.mac ?? '' },
  }
}

export type HostProblem = 'name' | 'ip' | 'mac'

/** Fields that make no host of it as they are. */
export function hostProblems({ name, kind, ip, mac }: HostForm): HostProblem[] {
  const wrong: Record<HostProblem, boolean> = {
    name: !isName(name),
    ip: kind === 'remote' && ip.trim() === '',
    mac: kind === 'remote' && !/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac.trim()),
  }
  return (Object.keys(wrong) as HostProblem[]).filter((field) => wrong[field])
}
