import { planes, type Plane } from '../../../core/model/common.ts'
import type { SshTarget } from '../../../core/contract/desktop/host.ts'
import type { Messages } from '../i18n/i18n.svelte.ts'

export const steps = ['address', 'key', 'login', 'planes', 'install'] as const
export type Step = (typeof steps)[number]

/** What the wizard asks for, as it is typed. */
export interface Answers {
  address: string
  port: string
  through: boolean
  jumpAddress: string
  jumpUser: string
  jumpKeyPath: string
  user: string
  method: 'password' | 'key' | 'agent'
  password: string
  keyPath: string
  passphrase: string
  name: string
  addresses: Record<Plane, string>
  /** For the first host alone: the cluster that it begins. */
  clusterName: string
  clusterIp: string
}

export const noAnswers = (): Answers => ({
  address: '',
  port: '22',
  through: false,
  jumpAddress: '',
  jumpUser: 'root',
  jumpKeyPath: '',
  user: 'root',
  method: 'key',
  password: '',
  keyPath: '',
  passphrase: '',
  name: '',
  addresses: { mgmt: '', storage: '', tenant: '' },
  clusterName: '',
  clusterIp: '',
})

const ipv4 = /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/
const cidr = new RegExp(`${ipv4.source.slice(0, -1)}/(3[0-2]|[12]?\\d)$`)
const hostName = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const address = /^[A-Za-z0-9]([A-Za-z0-9.:-]{0,253}[A-Za-z0-9])?$/

/**
 * What is wrong with the answers of one step, by field; nothing when it may go on. The main program checks again.
 * @param taken names of the cluster's hosts; none: the first host of a new cluster is asked for
 */
export function problemsOf(step: Step, answers: Answers, taken: string[], m: Messages): Record<string, string> {
  const found: Record<string, string> = {}
  const need = (field: string, ok: boolean, text: string): void => {
    if (!ok) found[field] = text
  }
  const port = Number(answers.port)
  switch (step) {
    case 'address':
      need('address', address.test(answers.address.trim()), m.add.badAddress)
      need('port', Number.isInteger(port) && port >= 1 && port <= 65_535, '1 – 65535')
      if (answers.through) {
        need('jumpAddress', address.test(answers.jumpAddress.trim()), m.add.badAddress)
        need('jumpKeyPath', answers.jumpKeyPath.trim() !== '', m.add.required)
      }
      break
    case 'login':
      need('user', answers.user.trim() !== '', m.add.required)
      if (answers.method === 'password') need('password', answers.password !== '', m.add.required)
      if (answers.method === 'key') need('keyPath', answers.keyPath.trim() !== '', m.add.required)
      break
    case 'planes':
      need('name', hostName.test(answers.name), m.add.badName)
      if (taken.includes(answers.name)) found.name = m.add.taken(answers.name)
      for (const plane of planes)
        need(plane, ipv4.test(answers.addresses[plane]) || (plane !== 'mgmt' && answers.addresses[plane] === ''), m.add.badIpv4)
      if (taken.length > 0) break
      need('clusterName', hostName.test(answers.clusterName), m.add.badName)
      need('clusterIp', answers.clusterIp === '' || cidr.test(answers.clusterIp), m.add.badCidr)
      break
  }
  return found
}

/** The host in between, when there is one. */
export const jumpOf = (answers: Answers): { jump?: NonNullable<SshTarget['jump']> } =>
  answers.through
    ? { jump: { address: answers.jumpAddress.trim(), port: 22, user: answers.jumpUser.trim() || 'root', keyPath: answers.jumpKeyPath.trim() } }
    : {}

/** The answers as the contract takes them. */
export function targetOf(answers: Answers): SshTarget {
  const auth: SshTarget['auth'] =
    answers.method === 'password'
      ? { type: 'password', password: answers.password }
      : answers.method === 'key'
        ? { type: 'key', path: answers.keyPath.trim(), ...(answers.passphrase && { passphrase: answers.passphrase }) }
        : { type: 'agent' }
  return { address: answers.address.trim(), port: Number(answers.port), user: answers.user.trim(), auth, ...jumpOf(answers) }
}

/** Addresses of the planes that were given one. */
export function addressesOf(answers: Answers): { mgmt: string; storage?: string; tenant?: string } {
  const { mgmt, storage, tenant } = answers.addresses
  return { mgmt, ...(storage && { storage }), ...(tenant && { tenant }) }
}

/** The cluster that the first host begins; nothing for one that joins. */
export const newClusterOf = (answers: Answers, taken: string[]): { newCluster?: { name: string; clusterIp?: string } } =>
  taken.length > 0 ? {} : { newCluster: { name: answers.clusterName, ...(answers.clusterIp && { clusterIp: answers.clusterIp }) } }
