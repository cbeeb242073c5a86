import { setTimeout as sleep } from 'node:timers/promises'
import { networkKeys } from '../../agent/network/documents.ts'
import { NetworkParts } from '../../agent/network/network-parts.ts'
import { until, withNetworkLab, type NetworkLab } from '../../bench/network-lab.ts'
import { hostNames, sampleDeclaration, type NetworkShape } from '../../bench/sample-network.ts'
import type { VirtualNetwork } from '../../core/model/network.ts'
import { parseDeclaration } from '../../core/net/declaration/parse.ts'
import { planNetwork } from '../../core/net/declaration/plan.ts'
import { sameJson } from '../../core/sync/same-json.ts'
import { Chance } from '../chance.ts'
import type { Proof, ProofContext } from '../proof.ts'

const hosts = hostNames(2)
const scales = {
  small: { kills: 3, shape: { hosts, vpcs: 4, networksPerVpc: 2, portsPerNetwork: 25 } },
  full: { kills: 40, shape: { hosts, vpcs: 20, networksPerVpc: 4, portsPerNetwork: 25 } },
}

/** The same ports at other addresses, so that of two declarations every port differs. */
function declarationsOf(shape: NetworkShape): [string, string] {
  const declaration = sampleDeclaration(shape, 'vm')
  return [declaration, declaration.replaceAll(/ ip: (\d+\.\d+\.\d+)\.(\d+)/g, (_, net: string, last: string) => ` ip: ${net}.${Number(last) + 100}`)]
}

/** The network as the store has it, by etcd's own client, and how often it was ever written. */
interface Stored {
  network: VirtualNetwork
  writes: number
}

async function stored(lab: NetworkLab): Promise<Stored> {
  const pki = '/etc/holdfast/pki'
  const { storeEndpoints } = JSON.parse(await lab.inside('h1', 'cat', '/etc/holdfast/join.json')) as { storeEndpoints: string[] }
  const secrets = [`--cacert=${pki}/store-ca.crt`, `--cert=${pki}/store.crt`, `--key=${pki}/store.key`]
  const get = ['etcdctl', `--endpoints=${storeEndpoints[0]}`, ...secrets, '--write-out=json', 'get', '--prefix', networkKeys.desired]
  const { kvs } = JSON.parse(await lab.inside('h1', 'env', 'ETCDCTL_API=3', ...get)) as { kvs: { key: string; value: string; version: number }[] }
  const plain = (base64: string): string => Buffer.from(base64, 'base64').toString()
  const items = kvs.map(({ key, value, version }) => ({ key: plain(key), value: JSON.parse(plain(value)) as unknown, version }))
  const root = items.find(({ key }) => key === networkKeys.desired)!
  return { network: new NetworkParts().with(items).read(), writes: root.version }
}

/** The oldest: a program that it starts is called the same until it is another. */
const modulePid = async (lab: NetworkLab): Promise<string> => (await lab.inside('h1', 'pgrep', '-o', '-f', '/network.mjs')).trim()

/** Asks the agent of h1 to apply, and kills its network module after a while. Answers whether the agent had answered before. */
async function applyAndKill(lab: NetworkLab, declaration: string, afterMs: number): Promise<boolean> {
  const pid = await until('a network module', async () => (await modulePid(lab)) || null)
  const killer = await lab.start('h1', 'sh', '-c', `read -r _; kill -9 ${pid}`)
  const answered = await lab.ask('h1', async (agent) => {
    await agent.supervisor.hello()
    const applied = agent.network.apply({ declaration, prune: true }).then(
      () => true,
      () => false,
    )
    await sleep(afterMs)
    killer.stdin.end('\n')
    return await applied
  })
  await until('another network module', async () => {
    const now = await modulePid(lab)
    return now !== '' && now !== pid ? now : null
  })
  return answered
}

async function run({ seed, scale, log }: ProofContext): Promise<Record<string, number | string>> {
  const { kills, shape } = scales[scale]
  const declarations = declarationsOf(shape)
  const chance = new Chance(seed)
  const counts = { ports: shape.vpcs * shape.networksPerVpc * shape.portsPerNetwork, kills, stayedOld: 0, becameNew: 0, answeredBefore: 0 }
  return await withNetworkLab(`kill-${process.pid}`, hosts.length, log, async (lab) => {
    await lab.apply(declarations[0])
    const startMs = performance.now()
    await lab.ask('h1', (agent) => agent.network.apply({ declaration: declarations[1], prune: true }))
    const applyMs = performance.now() - startMs
    log(`${counts.ports} ports; an apply that is let alone takes ${applyMs.toFixed(0)} ms`)
    let now = 1
    for (let kill = 1; kill <= kills; kill++) {
      const before = await stored(lab)
      const wanted = declarations[1 - now]!
      const { next } = planNetwork(before.network, parseDeclaration(wanted), { hosts, prune: true })
      const afterMs = chance.int(0, Math.round(applyMs * 1.2))
      const answered = await applyAndKill(lab, wanted, afterMs)
      const after = await stored(lab)
      const isOld = after.writes === before.writes && sameJson(after.network, before.network)
      const isNew = after.writes === before.writes + 1 && sameJson(after.network, next)
      if (isOld === isNew) throw new Error(`Killed after ${afterMs} ms, the store holds neither the old network nor the new one`)
      if (answered && isOld) throw new Error(`Killed after ${afterMs} ms, the store has lost what apply had answered`)
      counts[isNew ? 'becameNew' : 'stayedOld']++
      if (answered) counts.answeredBefore++
      log(`kill ${kill}, ${afterMs} ms after the request: the store holds ${isNew ? 'the new' : 'the old'} network`)
      await until('an answer to the apply once more', async () => lab.apply(wanted, { prune: true }))
      if (!sameJson((await stored(lab)).network, next)) throw new Error('Applied once more, the store does not hold the new network')
      now = 1 - now
    }
    return counts
  })
}

export default {
  name: 'apply-kill',
  title: 'An apply is one revision of the store, wherever the network module that makes it is killed',
  kind: 'lab',
  run,
} satisfies Proof
