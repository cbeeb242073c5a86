import type { Network, NetworkHost, Port, Router, Vip, VirtualNetwork } from '../../model/network.ts'
import { parseCidr, type Cidr } from '../address.ts'
import { nearest } from './nearest.ts'
import { lineAt, pathOf, type Place, type Problem } from './problems.ts'
import { networkKinds, type Declaration, type NetworkKind } from './schema.ts'

/** A network with its prefixes as numbers, and what is in it. */
export interface DraftNetwork extends Network {
  prefixes: readonly Cidr[]
  ports: readonly Port[]
  vips: readonly Vip[]
}

/** What a draft is of. */
export interface DraftOptions {
  /** All of the network as it would be. */
  merged: VirtualNetwork
  current: VirtualNetwork
  declaration: Declaration
  /** Names of the cluster's hosts. */
  hosts: readonly string[]
}

/**
 * A network as it would be, or the part of it that is checked, which may be wrong, with what is wrong with it. In its lists what the document
 * does not name comes first, then come the document's objects in its order: of two that contradict each other the latter is reported.
 */
export class Draft {
  readonly network: VirtualNetwork
  /** The network that it is a part of. */
  readonly whole: VirtualNetwork
  readonly hosts: readonly string[]
  readonly networks: ReadonlyMap<string, DraftNetwork>
  readonly routers: ReadonlyMap<string, Router>
  readonly ports: ReadonlyMap<string, Port>
  /** What is declared of hosts. */
  readonly networkHosts: ReadonlyMap<string, NetworkHost>
  /** The first router that a network is attached to, by the network's name. */
  readonly routerOf: ReadonlyMap<string, Router>
  readonly problems: Problem[] = []
  readonly #current: VirtualNetwork
  readonly #declaration: Declaration
  /** Place of each declared object in its list in the document. */
  readonly #places = new Map<NetworkKind, ReadonlyMap<string, number>>()

  constructor(network: VirtualNetwork, { merged, current, declaration, hosts }: DraftOptions) {
    this.network = network
    this.whole = merged
    this.hosts = hosts
    this.#current = current
    this.#declaration = declaration
    for (const kind of networkKinds) {
      const places = new Map<string, number>()
      for (const [index, { name }] of declaration[`${kind}s`].entries()) {
        const place = [`${kind}s`, index, 'name']
        if (places.has(name)) this.#reportAt(place, place, `There is another ${kind} ${name} in this document`, 'Name each once.')
        else places.set(name, index)
      }
      this.#places.set(kind, places)
    }

    const portsOf = Map.groupBy(network.ports, (port) => port.network)
    const vipsOf = Map.groupBy(network.vips, (vip) => vip.network)
    const prefixesOf = ({ subnet, subnet6 }: Network) => [subnet, ...(subnet6 === undefined ? [] : [subnet6])].map((text) => parseCidr(text)!)
    const inside = ({ name }: Network) => ({ ports: portsOf.get(name) ?? [], vips: vipsOf.get(name) ?? [] })
    this.networks = byName(network.networks.map((each) => ({ ...each, prefixes: prefixesOf(each), ...inside(each) })))
    this.routers = byName(network.routers)
    this.ports = byName(network.ports)
    this.networkHosts = byName(network.hosts)
    const routerOf = new Map<string, Router>()
    for (const router of network.routers) for (const name of router.networks) if (!routerOf.has(name)) routerOf.set(name, router)
    this.routerOf = routerOf
  }

  isDeclared(kind: NetworkKind, name: string): boolean {
    return this.#places.get(kind)!.has(name)
  }

  /** Whether there was an object that there will not be. */
  isDeleted(kind: NetworkKind, name: string): boolean {
    const [before, after] = [this.#current, this.whole].map((network) => network[`${kind}s`].some((one) => one.name === name))
    return before! && !after!
  }

  /** Whether the document says an object's VNI or MAC. What it does not say was assigned, now or before. */
  says(kind: 'network' | 'router' | 'port', name: string, key: 'vni' | 'mac'): boolean {
    const index = this.#places.get(kind)!.get(name)
    const declared: { vni?: unknown; mac?: unknown } | undefined = index === undefined ? undefined : this.#declaration[`${kind}s`][index]
    return declared?.[key] !== undefined
  }

  /** What an object's field is wrong about. `field` is empty for the object itself. */
  report(kind: NetworkKind, name: string, field: Place, message: string, remedy: string): void {
    const index = this.#places.get(kind)!.get(name)
    this.#reportAt([`${kind}s`, name, ...field], index === undefined ? null : [`${kind}s`, index, ...field], message, remedy)
  }

  /** An object's field names an object that there will not be. */
  reportMissing(kind: NetworkKind, name: string, field: Place, missing: { kind: NetworkKind; name: string }): void {
    const what = `${missing.kind} ${missing.name}`
    const list = `${missing.kind}s` as const
    if (this.isDeleted(missing.kind, missing.name)) {
      this.report(kind, name, field, `The ${what} is deleted by this plan`, `Declare the ${what} too, or delete what needs it, or do not prune.`)
      return
    }
    const known = this.network[list].map((one) => one.name)
    const meant = nearest(missing.name, known)
    this.report(kind, name, field, `There is no ${what}`, meant === null ? `Declare the ${what}.` : `Write ${meant}, or declare the ${what}.`)
  }

  #reportAt(path: Place, place: Place | null, message: string, remedy: string): void {
    this.problems.push({ line: place && lineAt(this.#declaration.lines, place), path: pathOf(path), message, remedy })
  }
}

function byName<T extends { name: string }>(objects: readonly T[]): Map<string, T> {
  return new Map(objects.map((object) => [object.name, object]))
}
