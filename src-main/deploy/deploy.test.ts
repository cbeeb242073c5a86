import { describe, expect, it } from 'vitest'
import { parseInspection } from './agent-on-host.ts'
import { judgeClock, parseListeners } from './checks.ts'

describe('parseListeners', () => {
  it('reads what ss prints: IPv4, IPv6, scoped and wildcard addresses, processes shared and hidden', () => {
    const text = [
      'udp   UNCONN 0      0            0.0.0.0:7444       0.0.0.0:*    users:(("node",pid=7,fd=20))',
      'tcp   LISTEN 0      4096       127.0.0.1:2379       0.0.0.0:*    users:(("etcd",pid=812,fd=8))',
      'tcp   LISTEN 0      128             [::]:22            [::]:*    users:(("sshd",pid=1,fd=4),("systemd",pid=2,fd=5))',
      'tcp   LISTEN 0      128 [fe80::1]%eth0:7443            [::]:*',
      'tcp   LISTEN 0      511                *:2380             *:*    users:(("we (ird",pid=9,fd=1))',
      'nl    UNCONN 0      0                  0:5                *',
      '',
      'ours 7',
    ].join('\n')
    expect(parseListeners(text)).toEqual([
      { protocol: 'udp', port: 7444, processes: [{ name: 'node', pid: 7 }] },
      { protocol: 'tcp', port: 2379, processes: [{ name: 'etcd', pid: 812 }] },
      {
        protocol: 'tcp',
        port: 22,
        processes: [
          { name: 'sshd', pid: 1 },
          { name: 'systemd', pid: 2 },
        ],
      },
      { protocol: 'tcp', port: 7443, processes: [] },
      { protocol: 'tcp', port: 2380, processes: [{ name: 'we (ird', pid: 9 }] },
    ])
  })
})

describe('judgeClock', () => {
  const minutes = 60_000
  it('blames the clock that stands alone', () => {
    expect(judgeClock(200, null)).toBeNull()
    expect(judgeClock(200, -300)).toBeNull()
    expect(judgeClock(10 * minutes, null)).toMatchObject({ wrong: 'host', offsetMs: 10 * minutes })
    expect(judgeClock(-10 * minutes, 100)).toMatchObject({ wrong: 'host' })
    expect(judgeClock(10 * minutes, 10 * minutes + 50)).toMatchObject({ wrong: 'laptop', offsetMs: -10 * minutes })
    expect(judgeClock(0, 10 * minutes)).toMatchObject({ wrong: 'host', offsetMs: -10 * minutes })
  })
})

describe('parseInspection', () => {
  const config = Buffer.from(JSON.stringify({ cluster: 'lab', host: 'h1', addresses: {} })).toString('base64')
  const ca = Buffer.from('-----BEGIN CERTIFICATE-----\n').toString('base64')

  it('tells nothing, half and whole apart', () => {
    expect(parseInspection('')).toMatchObject({ absent: true, whole: false, unfinished: false, config: null })
    expect(parseInspection('running\n')).toMatchObject({ absent: false, running: true })
    expect(parseInspection(`unfinished\nconfig ${config}\nsomething\nversion 1.0.0\n`)).toMatchObject({
      absent: false,
      whole: false,
      unfinished: true,
      config: { cluster: 'lab', host: 'h1' },
      versions: ['1.0.0'],
    })
    expect(parseInspection(`config ${config}\nca ${ca}\ncertificate\nservice\ncurrent 1.0.0\nsomething\n`)).toMatchObject({
      whole: true,
      caPem: '-----BEGIN CERTIFICATE-----\n',
      current: '1.0.0',
    })
  })

  it('takes a configuration that is no JSON for none', () => {
    expect(parseInspection(`config ${Buffer.from('{"cluster":').toString('base64')}\nsomething\n`).config).toBeNull()
  })
})
