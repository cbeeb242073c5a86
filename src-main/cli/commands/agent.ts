import { packAgent } from '../../../scripts/pack-agent.ts'
import type { Call } from '../table.ts'

/** `agent pack`. */
export async function pack(call: Call): Promise<void> {
  const agent = await packAgent()
  call.out.answer(agent, () => `${agent.version}\n${agent.path}\nsha256 ${agent.sha256}`)
}
