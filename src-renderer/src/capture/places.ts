import type { TraceHop } from '../../../core/model/trace.ts'
import { placeText, type CapturePlace } from '../../../core/model/capture.ts'
import type { Suggestion } from '../ui/SuggestField.svelte'

/** What places can be chosen from. */
export interface Known {
  hosts: readonly string[]
  ports: readonly { name: string; ip: string; host: string; network: string }[]
  networks: readonly { name: string; vpc: string }[]
  nics: readonly { host: string; name: string; plane?: string | undefined }[]
}

/** Every place there is: ports first, then NICs, bridges, and each network's tunnels at hosts that have a port of it. */
export function suggestPlaces({ hosts, ports, networks, nics }: Known): Suggestion[] {
  const suggest = (place: CapturePlace, detail: string): Suggestion => ({ value: placeText(place), detail })
  const portHosts = (network: string): string[] => hosts.filter((host) => ports.some((port) => port.host === host && port.network === network))
  return [
    ...ports.map(({ name, ip, host, network }) => suggest({ kind: 'port', port: name }, `${ip}  ${network}  ${host}`)),
    ...nics.map(({ host, name, plane }) => suggest({ kind: 'nic', host, nic: name }, plane && plane !== name ? plane : '')),
    ...hosts.map((host) => suggest({ kind: 'bridge', host }, 'br-int')),
    ...networks.flatMap(({ name, vpc }) => portHosts(name).map((host) => suggest({ kind: 'tunnel', host, network: name }, vpc))),
  ]
}

/** The places on a packet's way that packets can be captured at, in its order, each once. */
export function placesOfHops(hops: readonly Pick<TraceHop, 'host' | 'device'>[], { hosts, ports, nics }: Known): CapturePlace[] {
  const places = hops.flatMap(({ host, device }): CapturePlace[] => {
    if (ports.some((port) => port.name === device && port.host === host)) return [{ kind: 'port', port: device }]
    if (nics.some((nic) => nic.host === host && nic.name === device)) return [{ kind: 'nic', host, nic: device }]
    return hosts.includes(host) && device === 'br-int' ? [{ kind: 'bridge', host }] : []
  })
  return [...new Map(places.map((place) => [placeText(place), place])).values()]
}
