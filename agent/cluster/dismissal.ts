import { readFileSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import { errorDocSchema } from '../../core/model/task.ts'
import type { AgentPaths } from '../runtime/config.ts'
import type { HostDoc } from './documents.ts'

const answerMs = 2000
const maxAnswerBytes = 16_384

/**
 * Whether the cluster took this host out and the store cannot tell it any more, since it refuses this host's certificate: the agents
 * of the other hosts are asked, who say why they turn somebody away. No answer, or any other, is no dismissal.
 */
export async function isDismissed(paths: AgentPaths, others: Iterable<HostDoc>): Promise<boolean> {
  const read = (name: string) => readFileSync(join(paths.pki, name))
  const tls = { ca: read('ca.crt'), cert: read('host.crt'), key: read('host.key') }
  const answers = await Promise.all([...others].map((host) => saysWithdrawn(host, tls)))
  return answers.includes(true)
}

function saysWithdrawn({ addresses, apiPort }: HostDoc, tls: { ca: Buffer; cert: Buffer; key: Buffer }): Promise<boolean> {
  return new Promise((resolve) => {
    const request = https.get(
      { ...tls, host: addresses.mgmt, port: apiPort, path: '/v1/supervisor/hello', agent: false, signal: AbortSignal.timeout(answerMs) },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
          if (text.length > maxAnswerBytes) request.destroy()
        })
        response.on('end', () => resolve(response.statusCode === 401 && isWithdrawal(text)))
        response.on('error', () => resolve(false))
      },
    )
    request.on('error', () => resolve(false))
    request.on('close', () => resolve(false))
  })
}

function isWithdrawal(text: string): boolean {
  try {
    const { code, data } = errorDocSchema.parse(JSON.parse(text))
    return code === 'wrong-cluster' && data?.['withdrawn'] === true
  } catch {
    return false
  }
}
