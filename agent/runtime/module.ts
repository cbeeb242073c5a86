import { chmodSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { parseArgs } from 'node:util'
import { HoldfastError, asHoldfastError } from '../../core/errors.ts'
import type { ObjectLog } from '../../core/sync/object-log.ts'
import { ApiServer, type AgentRouter } from './api-server.ts'
import { contextFromHeaders, type CallerContext } from './context.ts'
import type { EventLog } from './events.ts'
import { parseJsonBody, readBody, refuseUpgrade, sendError, sendJson } from './http.ts'
import type { Logger } from './logger.ts'

/** What one version of a module hands to the next: plain JSON of its own making. */
export type Handover = Record<string, unknown>

/** A module's answer to the gate. `reason` says what ails it. */
export interface Health {
  healthy: boolean
  reason?: string
}

export interface ModuleOptions {
  /** First path segment after `/v1/`. */
  name: string
  version: string
  logger: Logger
  log: ObjectLog
  events: EventLog
  /** Implements the module's contract; its procedures get a `CallerContext`. */
  router: AgentRouter
  /** Asked every second, also in standby: then it must say whether it could act. Must answer within a second. */
  health(): Health | Promise<Health>
  /** Stop acting, and answer what the next version needs to go on. What it started and shall live on is left alone. */
  release(): Promise<Handover>
  /** Start acting: at start, after the other version's `release` (with its handover), or again after one's own when the other failed. */
  activate(handover?: Handover): Promise<void>
  /** Requests that are not part of the contract; false leaves them to it. */
  http?: (request: IncomingMessage, response: ServerResponse, context: CallerContext) => boolean | Promise<boolean>
}

/** Whether a module acts. In `standby` and after `release` it answers calls but changes nothing outside itself. */
export type Activity = 'standby' | 'active' | 'released'

/**
 * Runs a module in this process: `--socket PATH [--standby]` on the command line. Serves its contract and the supervisor's
 * `/internal/health`, `/internal/release` and `/internal/activate` on that unix socket (mode 0600), and ends on SIGTERM after releasing.
 * Resolves when it listens and, unless in standby, is active.
 */
export async function runModule(options: ModuleOptions): Promise<void> {
  const { values } = parseArgs({ options: { socket: { type: 'string' }, standby: { type: 'boolean', default: false } } })
  if (!values.socket)
    throw new HoldfastError('bad-input', `${options.name} was started without --socket`, 'The supervisor starts modules; do not start one by hand.')
  process.umask(0o077)
  const { logger, name } = options
  let activity: Activity = 'standby'
  let handover: Handover = {}
  let turn = Promise.resolve()

  /** One change of activity at a time. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work)
    turn = result.then(
      () => undefined,
      () => undefined,
    )
    return result
  }
  const activate = (from?: Handover) =>
    inTurn(async () => {
      if (activity === 'active') return
      await options.activate(from)
      options.events.activate()
      activity = 'active'
      logger.info('active')
    })
  const release = () =>
    inTurn(async () => {
      if (activity === 'active') {
        handover = await options.release()
        options.events.release()
        activity = 'released'
        logger.info('released')
      }
      return handover
    })

  const internal = async (request: IncomingMessage, response: ServerResponse) => {
    const body = parseJsonBody(await readBody(request)) as { handover?: Handover } | undefined
    const route = `${request.method} ${request.url}`
    if (route === 'GET /internal/health') sendJson(response, 200, { ...(await options.health()), version: options.version, activity })
    else if (route === 'POST /internal/release') sendJson(response, 200, { handover: await release() })
    else if (route === 'POST /internal/activate') {
      await activate(body?.handover)
      sendJson(response, 200, {})
    } else throw new HoldfastError('not-found', `${route} is nothing that a module serves`, 'This is a defect of the supervisor.')
  }

  const api = new ApiServer({ name, router: options.router, logger, http: options.http })
  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000, maxHeaderSize: 16_384 }, (request, response) => {
    if (!request.url?.startsWith('/internal/')) return void api.request(request, response, contextFromHeaders(request.headers))
    internal(request, response).catch((thrown: unknown) => {
      logger.error('the supervisor was refused', { url: request.url, cause: thrown })
      sendError(request, response, asHoldfastError(thrown))
    })
  })
  server.on('upgrade', (request, socket, head) => {
    if (request.url?.startsWith('/v1/')) api.upgrade(request, socket, head, contextFromHeaders(request.headers))
    else
      refuseUpgrade(socket, new HoldfastError('not-found', `${request.url} is nothing that a module serves`, 'This is a defect of the supervisor.'))
  })
  rmSync(values.socket, { force: true })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(values.socket, resolve))
  chmodSync(values.socket, 0o600)

  const end = (signal: string) => {
    logger.info('ending', { signal })
    // Whatever holds a release up must not keep an old version alive beside a new one.
    setTimeout(() => process.exit(1), 5_000).unref()
    void release()
      .catch((cause: unknown) => logger.error('could not release', { cause }))
      .finally(() => process.exit(0))
  }
  process.once('SIGTERM', () => end('SIGTERM'))
  process.once('SIGINT', () => end('SIGINT'))
  logger.info('listening', { version: options.version, socket: values.socket, standby: values.standby })
  if (!values.standby) await activate()
}
