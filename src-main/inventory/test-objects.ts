import type { StoredObject } from './words.ts'

/** Documents for tests, as an agent would report them. */
export function nic(host: string, name: string, mac = '02:00:00:00:00:01', state = 'up'): StoredObject {
  return { kind: 'nic', id: `${host}/${name}`, atMs: 1, doc: { host, name, mac, addresses: [], state, mtuBytes: 1500 } }
}

export function hostObject(name: string, mgmt = '10.0.0.1'): StoredObject {
  return { kind: 'host', id: name, atMs: 1, doc: { name, addresses: { mgmt }, role: 'voter', joinedAtMs: 1 } }
}

export function clusterObject(quorum = true, leader: string | null = 'h1', leaderEpoch = 1): StoredObject {
  return { kind: 'cluster', id: 'cluster', atMs: 1, doc: { id: 'c', name: 'lab', leader, leaderEpoch, quorum, elections: 1, raftElections: 0 } }
}

export function eventObject(id: string, atMs: number, message = 'A thing happened'): StoredObject {
  return { kind: 'event', id, atMs, doc: { origin: id.split('/')[0], atMs, severity: 'info', type: 'thing', message, about: [], data: {} } }
}
