/** Program of the keeper: keeps this host's Open vSwitch forwarding, whether or not the network module lives. */
import { mkdirSync } from 'node:fs'
import { setPriority } from 'node:os'
import { HoldfastError } from '../../../core/errors.ts'
import { agentPaths } from '../../runtime/config.ts'
import { createLogger } from '../../runtime/logger.ts'
import { readPidFile } from '../../runtime/process.ts'
import { switchPaths } from '../switch/switch-paths.ts'
import { listenForRequests } from './control.ts'
import { Keeper } from './keeper.ts'

const logger = createLogger('keeper')
const agent = agentPaths()
const paths = switchPaths(agent.run, agent.log)
const other = readPidFile(paths.keeperPidFile)
if (other && other.pid !== process.pid)
  throw new HoldfastError('already-exists', `Process ${other.pid} keeps this host’s switch already`, 'Start one only.')
// What it watches over goes before all else, so it must not wait for its turn longer than that does.
setPriority(-10)
mkdirSync(paths.directory, { recursive: true, mode: 0o700 })
const keeper = new Keeper(paths, process.argv[1] ?? '', logger)

/** Asked to end, by `agent leave`: all of it. */
process.once('SIGTERM', () => void keeper.end().finally(() => process.exit(0)))

await listenForRequests(paths.keeperSocket, {
  failover: () => keeper.failover(),
  leave: () => keeper.leave(),
  end: () => keeper.end(),
})
await keeper.run()
// A read of a tap device that waits for a frame would hold it back.
process.exit()
