import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseSimulatedInstall, systemAccounts } from './base.ts'
import { loopsBelow } from './disks.ts'
import { commandsOn, mountsBelow } from './leftovers.ts'
import { parseStartTicks } from './state.ts'

const mountinfo = `22 27 0:21 / /proc rw,relatime - proc proc rw
60 27 0:65 / /run/holdfast-lab/a rw,relatime shared:1 - tmpfs holdfast-lab-a rw
61 60 0:66 / /run/holdfast-lab/a/machines/h1/mnt rw - overlay lab rw
62 27 0:67 / /run/holdfast-lab/ab rw - tmpfs holdfast-lab-ab rw
63 60 0:68 / /run/holdfast-lab/a/with\\040blank rw - tmpfs x rw
64 60 0:69 / /run/holdfast-lab/a rw - tmpfs holdfast-lab-a rw
`

describe('leftovers', () => {
  it('finds the mounts of one lab alone, the last one first', () => {
    expect(mountsBelow(mountinfo, '/run/holdfast-lab/a')).toEqual([
      '/run/holdfast-lab/a',
      '/run/holdfast-lab/a/with blank',
      '/run/holdfast-lab/a/machines/h1/mnt',
      '/run/holdfast-lab/a',
    ])
    expect(mountsBelow('', '/run/holdfast-lab/a')).toEqual([])
  })

  it('finds the loop devices of one lab alone', () => {
    const files = [
      '/run/holdfast-lab/a/machines/h1/vdb.img',
      '/run/holdfast-lab/ab/machines/h1/vdb.img',
      '/srv/disk.img',
      '/run/holdfast-lab/a/x (deleted)',
    ]
    const loops = files.map((backingFile, index) => ({ device: `loop${index}`, backingFile }))
    expect(loopsBelow(loops, '/run/holdfast-lab/a').map(({ device }) => device)).toEqual(['loop0', 'loop3'])
  })

  it('finds what a killed lab still attaches or mounts, and nothing of others', () => {
    const ours = [
      ['losetup', '--find', '/run/holdfast-lab/a/machines/h2/vdb.img', ''],
      ['/bin/mount', '-t', 'tmpfs', 'holdfast-lab-a', '/run/holdfast-lab/a', ''],
    ]
    const others = [
      ['losetup', '--find', '/run/holdfast-lab/ab/machines/h2/vdb.img', ''],
      ['less', '/run/holdfast-lab/a/machines/h2/console.log', ''],
      [''],
    ]
    expect(commandsOn([...others, ...ours], '/run/holdfast-lab/a')).toEqual(ours)
  })

  it('reads the start time of a process of any name', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 15 }), fc.integer({ min: 0, max: 2 ** 40 }), (name, ticks) => {
        const fields = ['S', ...Array.from({ length: 18 }, () => '1'), String(ticks), '1', '2']
        expect(parseStartTicks(`42 (${name}) ${fields.join(' ')}\n`)).toBe(ticks)
      }),
    )
  })
})

describe('base layer', () => {
  it('reads what apt would install or upgrade', () => {
    const output = `Reading package lists...
Inst openssh-client [1:9.2p1-2+deb12u6] (1:9.2p1-2+deb12u10 Debian:12.15/oldstable [amd64])
Inst tini (0.19.0-1+b3 Debian:12.15/oldstable [amd64])
Conf tini (0.19.0-1+b3 Debian:12.15/oldstable [amd64])
`
    expect(parseSimulatedInstall(output)).toEqual([
      { name: 'openssh-client', version: '1:9.2p1-2+deb12u10' },
      { name: 'tini', version: '0.19.0-1+b3' },
    ])
  })

  it("leaves the machine's people out", () => {
    const passwd =
      'root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/bash\nnobody:x:65534:65534::/:/usr/sbin/nologin\nsshd:x:102:1::/:/x\n'
    expect(systemAccounts(passwd).map((line) => line.split(':')[0])).toEqual(['root', 'nobody'])
  })
})
