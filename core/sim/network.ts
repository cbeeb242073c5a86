import { planes, type Plane } from '../model/common.ts'
import type { World } from './env.ts'

/** How the network misbehaves, beside links that are down. Shares are from 0 to 1. */
export interface Weather {
  lossShare: number
  duplicateShare: number
  /** Share of messages that are late, by up to `lateMs`. */
  lateShare: number
  lateMs: number
}

export const fairWeather: Weather = { lossShare: 0, duplicateShare: 0, lateShare: 0, lateMs: 0 }

/** Links of every host to every plane, with delays. A plane is one switch: what is not cut reaches everyone. */
export class SimNetwork {
  readonly #world: World
  readonly #down = new Set<string>()
  readonly #groups = new Map<Plane, Map<string, number>>()
  weather: Weather = fairWeather

  constructor(world: World) {
    this.#world = world
  }

  setLink(host: string, plane: Plane | 'all', up: boolean): void {
    for (const each of plane === 'all' ? planes : [plane]) {
      if (up) this.#down.delete(`${host}/${each}`)
      else this.#down.add(`${host}/${each}`)
    }
  }

  /** Splits a plane into groups that do not hear each other; no groups heals it. */
  partition(plane: Plane, groups: readonly (readonly string[])[]): void {
    this.#groups.set(plane, new Map(groups.flatMap((group, index) => group.map((host) => [host, index] as const))))
  }

  linkUp(host: string, plane: Plane): boolean {
    return !this.#down.has(`${host}/${plane}`)
  }

  reaches(from: string, to: string, plane: Plane): boolean {
    if (from === to) return true
    const groups = this.#groups.get(plane)
    return this.linkUp(from, plane) && this.linkUp(to, plane) && groups?.get(from) === groups?.get(to)
  }

  /** Carries a datagram: lost, late or doubled as the weather is. Whether it arrives is decided when it arrives. */
  datagram(from: string, to: string, plane: Plane, deliver: () => void): void {
    if (!this.reaches(from, to, plane) || this.#world.random() < this.weather.lossShare) return
    const copies = this.#world.random() < this.weather.duplicateShare ? 2 : 1
    for (let copy = 0; copy < copies; copy++) this.#world.after(this.delayMs(), () => this.reaches(from, to, plane) && deliver())
  }

  /** Carries a message of a stream: it arrives, unless the path is cut when it leaves or arrives. */
  message(from: string, to: string, plane: Plane, deliver: () => void): void {
    if (!this.reaches(from, to, plane)) return
    this.#world.after(from === to ? 0.2 : this.delayMs(), () => this.reaches(from, to, plane) && deliver())
  }

  delayMs(): number {
    const late = this.#world.random() < this.weather.lateShare ? this.#world.between(0, this.weather.lateMs) : 0
    return this.#world.between(0.2, 2) + late
  }
}
