/** IPv4 and IPv6 addresses and prefixes (CIDR, RFC 4632 and RFC 4291), as pure functions. Texts that are none give null. */

export type Family = 4 | 6

export interface Ip {
  family: Family
  value: bigint
}

/** All addresses from `first` to `last`, both included, which have their first `prefixLength` bits in common. */
export interface Cidr {
  family: Family
  prefixLength: number
  first: bigint
  last: bigint
}

const bitsOf = { 4: 32, 6: 128 } as const

/** Dotted decimal without leading zeros, as an unsigned 32-bit number. */
export function parseIpv4(text: string): number | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (!match) return null
  let value = 0
  for (const octet of match.slice(1)) {
    if (Number(octet) > 255 || (octet.length > 1 && octet.startsWith('0'))) return null
    value = value * 256 + Number(octet)
  }
  return value
}

export function formatIpv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`
}

/** Any text form of RFC 4291 2.2, without a zone. */
export function parseIpv6(text: string): bigint | null {
  const dotted = text.includes('.') ? /^(.*:)(\d+\.[\d.]+)$/.exec(text) : null
  if (dotted) {
    const low = parseIpv4(dotted[2]!)
    return low === null ? null : parseIpv6(`${dotted[1]}${(low >>> 16).toString(16)}:${(low & 0xffff).toString(16)}`)
  }
  if (!/^[0-9a-fA-F:]+$/.test(text)) return null
  const halves = text.split('::')
  const groups = parseGroups(halves[0]!)
  if (halves.length === 2) {
    const tail = parseGroups(halves[1]!)
    if (groups.length + tail.length > 7) return null
    while (groups.length + tail.length < 8) groups.push(0)
    groups.push(...tail)
  }
  if (halves.length > 2 || groups.length !== 8) return null
  const [a, b, c, d, e, f, g, h] = groups as [number, number, number, number, number, number, number, number]
  const [high, middle, low] = [(a * 65_536 + b) * 65_536 + c, (d * 65_536 + e) * 65_536 + f, g * 65_536 + h]
  return Number.isNaN(high + middle + low) ? null : (BigInt(high) << 80n) | (BigInt(middle) << 32n) | BigInt(low)
}

/** Values of the groups of hexadecimal digits between colons, NaN where there are none or too many. */
function parseGroups(text: string): number[] {
  return text === '' ? [] : text.split(':').map((digits) => (digits.length > 4 ? NaN : parseInt(digits, 16)))
}

/** The canonical text of RFC 5952: lower case, the first of the longest runs of zeros as `::`, IPv4-mapped addresses with a dotted end. */
export function formatIpv6(value: bigint): string {
  if (value >> 32n === 0xffffn) return `::ffff:${formatIpv4(Number(value & 0xffff_ffffn))}`
  const digits = value.toString(16).padStart(32, '0')
  const groups = Array.from({ length: 8 }, (_, index) => parseInt(digits.slice(index * 4, index * 4 + 4), 16).toString(16))
  let longest = { start: 0, length: 0 }
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (groups[start + length] === '0') length++
    if (length > longest.length) longest = { start, length }
  }
  if (longest.length < 2) return groups.join(':')
  return `${groups.slice(0, longest.start).join(':')}::${groups.slice(longest.start + longest.length).join(':')}`
}

export function parseIp(text: string): Ip | null {
  const family = text.includes(':') ? 6 : 4
  const value = family === 6 ? parseIpv6(text) : parseIpv4(text)
  return value === null ? null : { family, value: BigInt(value) }
}

export function formatIp({ family, value }: Ip): string {
  return family === 6 ? formatIpv6(value) : formatIpv4(Number(value))
}

/** `ADDRESS/LENGTH`. Bits of the address behind the length are let through and count for nothing: `formatCidr` gives the right text. */
export function parseCidr(text: string): Cidr | null {
  const [address, length, ...rest] = text.split('/')
  const ip = parseIp(address!)
  if (!ip || rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(length ?? '') || Number(length) > bitsOf[ip.family]) return null
  return cidrAround(ip, Number(length))
}

/** The prefix of a length that an address is in. */
export function cidrAround({ family, value }: Ip, prefixLength: number = bitsOf[family]): Cidr {
  const hostBits = BigInt(bitsOf[family] - prefixLength)
  const first = (value >> hostBits) << hostBits
  return { family, prefixLength, first, last: first + (1n << hostBits) - 1n }
}

export function formatCidr({ family, first, prefixLength }: Cidr): string {
  return `${formatIp({ family, value: first })}/${prefixLength}`
}

/** Whether all addresses of `inner` are in `outer`. */
export function cidrContains(outer: Cidr, inner: Cidr): boolean {
  return outer.family === inner.family && outer.first <= inner.first && inner.last <= outer.last
}

export function cidrHasIp(cidr: Cidr, ip: Ip): boolean {
  return cidr.family === ip.family && cidr.first <= ip.value && ip.value <= cidr.last
}

/** Whether they have any address in common. Prefixes either contain one another or have none. */
export function cidrsOverlap(a: Cidr, b: Cidr): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last
}
