import { filled, isName, numeric, trimmed } from './forms.ts'
import type { DeclaredItem } from './yaml-edit.ts'

/** A VIP as a form has it: numbers as text. */
export interface VipForm {
  name: string
  network: string
  ip: string
  /** In the order in which they are declared. */
  ports: string[]
  check: CheckKind
  tcp: string
  http: string
  httpPort: string
  /** Program and arguments, apart by spaces. */
  command: string
  /** By port; blank: 0. */
  priorities: Record<string, string>
}

/** Who moves a VIP: its guests, or the platform by what it asks them. */
export const checkKinds = ['none', 'tcp', 'http', 'command'] as const
export type CheckKind = (typeof checkKinds)[number]

export const blankVip = (network: string): VipForm => ({
  ...{ name: '', network, ip: '', ports: [], check: 'none' },
  ...{ tcp: '', http: '/', httpPort: '80', command: '', priorities: {} },
})

export function vipItem(form: VipForm): DeclaredItem {
  const { name, network, ip } = trimmed({ name: form.name, network: form.network, ip: form.ip })
  const given = form.ports.flatMap((port) => (form.priorities[port]?.trim() ? [[port, numeric(form.priorities[port])] as const] : []))
  return filled({
    ...{ name, network, ip, ports: form.ports, healthCheck: checkOf(form) },
    priorities: form.check !== 'none' && given.length > 0 ? Object.fromEntries(given) : undefined,
  }) as DeclaredItem
}

function checkOf(form: VipForm): Record<string, unknown> | undefined {
  const { tcp, http, httpPort, command } = trimmed({ tcp: form.tcp, http: form.http, httpPort: form.httpPort, command: form.command })
  switch (form.check) {
    case 'none':
      return undefined
    case 'tcp':
      return { tcp: numeric(tcp) }
    case 'http':
      return { http, ...(httpPort !== '' && httpPort !== '80' && { port: numeric(httpPort) }) }
    case 'command':
      return { command: command.split(/\s+/).filter(Boolean) }
  }
}

/** The form of a VIP that a declaration has. */
export function vipFormOf(item: DeclaredItem): VipForm {
  const check = record(item.healthCheck)
  const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '')
  return {
    ...blankVip(text(item.network)),
    ...{ name: item.name, ip: text(item.ip), ports: Array.isArray(item.ports) ? item.ports.map(text) : [] },
    check: checkKinds.find((kind) => Object.hasOwn(check, kind)) ?? 'none',
    ...{ tcp: text(check.tcp), ...('http' in check && { http: text(check.http) }), ...('port' in check && { httpPort: text(check.port) }) },
    command: Array.isArray(check.command) ? check.command.map(text).join(' ') : '',
    priorities: Object.fromEntries(Object.entries(record(item.priorities)).map(([port, value]) => [port, text(value)])),
  }
}

const record = (value: unknown): Record<string, unknown> => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {})

export type VipProblem = 'name' | 'network' | 'ip' | 'ports' | 'tcp' | 'http' | 'command'

/** Fields that make no VIP of it as they are. */
export function vipProblems({ name, network, ip, ports, check, tcp, http, command }: VipForm): VipProblem[] {
  const wrong: Record<VipProblem, boolean> = {
    name: !isName(name),
    network: !isName(network),
    ip: ip.trim() === '',
    ports: ports.length === 0,
    tcp: check === 'tcp' && tcp.trim() === '',
    http: check === 'http' && http.trim() === '',
    command: check === 'command' && command.trim() === '',
  }
  return (Object.keys(wrong) as VipProblem[]).filter((field) => wrong[field])
}
