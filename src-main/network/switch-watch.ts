import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../../core/errors.ts'
import type { SwitchQuestion, SwitchReading } from '../../core/model/switch-reading.ts'
import type { TraceResult } from '../../core/model/trace.ts'
import {
  lackOf,
  switchPassages,
  withSwitchEvidence,
  type Lack,
  type SwitchPassage,
  type SwitchReadings,
} from '../../core/net/trace/switch-evidence.ts'
import type { World } from '../../core/net/trace/world.ts'
import type { AgentOf } from './host-agents.ts'
import { within } from './real-world.ts'

/** How long a switch may take to answer: somewhat longer than an agent waits for it. */
const answerMs = 1200

/** How long it is waited for what a switch lacks, and how often it is asked. Net-SNMP reads counters every 3 s. */
const lackMs: Record<Lack, number> = { address: 1000, count: 3300 }
const againMs = 250

/** What the switches on a path say before a packet is sent and after it was seen. One that does not answer before is not asked again. */
export class SwitchWatch {
  readonly #passages: SwitchPassage[]
  readonly #agentOf: AgentOf
  readonly #before = new Map<string, SwitchReading>()
  readonly #readings = new Map<string, SwitchReadings>()

  constructor(world: World, path: TraceResult, frame: Uint8Array, agentOf: AgentOf) {
    this.#passages = switchPassages(world, path, frame)
    this.#agentOf = agentOf
  }

  /** Asks all switches; resolves when each has answered or did not. */
  async readBefore(): Promise<void> {
    const switches = new Set(this.#passages.map((passage) => passage.switch))
    await Promise.all(
      [...switches].map(async (name) => {
        const reading = await this.#ask(name)
        if (reading) this.#before.set(name, reading)
      }),
    )
  }

  /** A verdict, with what the switches say of it: those that have answered are asked until they lack nothing. */
  async complete(result: TraceResult): Promise<TraceResult> {
    const sinceMs = performance.now()
    await Promise.all(
      [...this.#before].map(async ([name, before]) => {
        for (;;) {
          const after = await this.#ask(name)
          if (!after) return
          const readings = { before, after }
          this.#readings.set(name, readings)
          const lacks = this.#through(name).map((passage) => lackOf(passage, readings, result))
          if (lacks.every((lack) => lack === null || performance.now() - sinceMs > lackMs[lack])) return
          await sleep(againMs)
        }
      }),
    )
    return withSwitchEvidence(result, this.#passages, this.#readings)
  }

  #through(name: string): SwitchPassage[] {
    return this.#passages.filter((passage) => passage.switch === name)
  }

  /** The first answer that a host at either end gets from a switch; null: none gets any. */
  async #ask(name: string): Promise<SwitchReading | null> {
    const passages = this.#through(name)
    const question: SwitchQuestion = {
      ports: distinct(passages.flatMap((passage) => [passage.in?.port ?? [], passage.out?.port ?? []].flat())),
      macs: distinct(passages.flatMap(({ src, dst }) => [src, dst])),
    }
    const asked = distinct(passages.flatMap(({ hosts }) => hosts)).map(async (host) => {
      const agent = this.#agentOf(host)
      if (agent instanceof HoldfastError) throw agent
      return await within(answerMs, agent.network.switchPorts({ switch: name, ...question }), `the agent of ${host} does not answer`)
    })
    return await Promise.any(asked).catch(() => null)
  }
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)]
}
