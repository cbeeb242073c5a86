import type { TraceRequest } from '../../core/model/trace.ts'
import type { Port, VirtualNetwork } from '../../core/model/network.ts'
import { formatIp, parseCidr } from '../../core/net/address.ts'
import { groupMac } from '../../core/net/packet/compose.ts'
import type { Chance } from '../chance.ts'

/** A packet as somebody would ask for it to be traced. `number` tells it from the others of its network. */
export function randomRequest(chance: Chance, network: VirtualNetwork, number: number): TraceRequest {
  for (;;) {
    const from = chance.pick(network.ports)
    const six = from.ip6 !== undefined && chance.is(0.35)
    const to = destination(chance, network, from, six)
    // A system does not send to itself by its network.
    if (to === null || to === from.ip || to === from.ip6) continue
    const many = groupMac(to) !== null
    const proto = chance.weighted<TraceRequest['proto']>(
      [4, () => 'icmp'],
      [4, () => 'tcp'],
      [2, () => 'udp'],
      [many ? 0 : 1, () => 'arp'],
      [1, () => chance.pick([47, 132, 6, 17, six ? 58 : 1])],
    )
    const ports = ['tcp', 'udp', 6, 17].includes(proto)
    return {
      ...{ from: from.name, to, proto },
      ...(ports && { dport: chance.pick([22, 80, 443, 5432, 1, 1024, 1500, 8191, 65_535]) }),
      ...(ports && { sport: chance.is(0.3) ? chance.pick([22, 80, 1024]) : 40_000 + number }),
      ...(proto !== 'arp' && chance.is(0.15) && { ttl: chance.pick([1, 1, 2, 3, 255]) }),
      ...(proto !== 'arp' && chance.is(0.25) && { sizeBytes: chance.pick([100, 1280, 1281, 1314, 1350, 1400, 1401, 1450, 1451, 8900, 8950, 9000]) }),
      ...(chance.is(0.07) && { sourceIp: otherSource(chance, network, from, six, proto === 'arp') }),
      ...(chance.is(0.05) && { sourceMac: '0e:00:00:00:99:99' }),
    }
  }
}

function destination(chance: Chance, { ports, networks, routers }: VirtualNetwork, from: Port, six: boolean): string | null {
  const like = (ip4: string | undefined, ip6: string | undefined): string | null => (six ? ip6 : ip4) ?? null
  const network = networks.find(({ name }) => name === from.network)!
  return chance.weighted<string | null>(
    [
      12,
      () => {
        const { vpc } = network
        const near = ports.filter((port) => networks.find(({ name }) => name === port.network)!.vpc === vpc)
        const beside = ports.filter((port) => port.network === from.network)
        const port = chance.pick(chance.weighted([5, () => beside], [4, () => near], [1, () => ports]))
        return like(port.ip, port.ip6)
      },
    ],
    [
      2,
      () => {
        const { gateway, gateway6 } = chance.pick(networks)
        return like(gateway, gateway6)
      },
    ],
    [
      2,
      () => {
        const { subnet, subnet6 } = chance.pick(networks)
        const cidr = parseCidr(like(subnet, subnet6) ?? subnet)!
        const known = ports.flatMap(({ ip, ip6 }) => [ip, ip6])
        const free = formatIp({ family: cidr.family, value: cidr.first + 2n + BigInt(chance.int(0, 200)) })
        return known.includes(free) || (cidr.family === 6) !== six ? null : free
      },
    ],
    [
      1,
      () => {
        const routes = routers.flatMap((router) => router.routes).filter(({ to }) => to.includes(':') === six)
        if (routes.length === 0) return null
        const { family, first, last } = parseCidr(chance.pick(routes).to)!
        return first === last ? formatIp({ family, value: first }) : six ? 'fd00:99::5' : '10.99.0.5'
      },
    ],
    [1, () => (six ? 'fd00:77::1' : '198.51.100.9')],
    [1, () => (six ? chance.pick(['ff02::1', 'ff02::12']) : chance.pick(['224.0.0.18', '255.255.255.255']))],
  )
}

/** `asking`: it would make others believe that the address is the sender's, where that may send from any: then it is nobody's. */
function otherSource(chance: Chance, { ports }: VirtualNetwork, from: Port, six: boolean, asking: boolean): string {
  const foreign = six ? 'fd00:66::6' : '192.0.2.66'
  const allowed = from.allow.filter((cidr) => cidr.includes(':') === six && !cidr.endsWith('/0'))
  const others = asking ? [] : ports.flatMap(({ ip, ip6 }) => (six ? (ip6 ?? []) : ip))
  if (allowed.length > 0 && chance.is(0.6)) return formatIp({ family: six ? 6 : 4, value: parseCidr(chance.pick(allowed))!.first })
  return chance.is(0.5) ? chance.pick([...others, foreign]) : foreign
}
