/** Programs that the modules use: their Debian package, and how to ask the program itself where it came in another way. */
export const programs = [
  { package: 'etcd-server', command: ['etcd', '--version'] },
  { package: 'iproute2', command: ['ip', '-V'] },
  { package: 'lldpd', command: ['lldpd', '-v'] },
  { package: 'smartmontools', command: ['smartctl', '--version'] },
] as const

/** Reads `/var/lib/dpkg/status` (deb822(5)) into the versions of installed packages among `names`. */
export function parseDpkgStatus(status: string, names: ReadonlySet<string>): Map<string, string> {
  const found = new Map<string, string>()
  for (const paragraph of status.split(/\n{2,}/)) {
    const field = (name: string): string | undefined => new RegExp(`^${name}: (.+)$`, 'm').exec(paragraph)?.[1]
    const name = /^Package: (.+)$/m.exec(paragraph)?.[1]
    if (name === undefined || !names.has(name) || !field('Status')?.endsWith(' installed')) continue
    const version = field('Version')
    if (version !== undefined) found.set(name, version)
  }
  return found
}

/** The first version number in what a program prints about itself; null if there is none. */
export function parseProgramVersion(output: string): string | null {
  return /\d+(?:\.\d+)+[^\s,)]*/.exec(output)?.[0] ?? null
}

/** Reads the name and version of the system from os-release(5). */
export function parseOsRelease(text: string): { name: string; version: string } {
  const field = (name: string): string | undefined => {
    const raw = new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1]?.trim()
    return raw === undefined ? undefined : raw.replace(/^(["'])(.*)\1$/, '$2').replace(/\\(.)/g, '$1')
  }
  return { name: field('NAME') || 'Linux', version: field('VERSION_ID') || field('VERSION_CODENAME') || '' }
}
