/** The MAC at which a host's tunnels end where OVS forwards in user space: made of the address, so that everybody knows it. */
export function tunnelMacOf(ip: string): string {
  return ['0a', '58', ...ip.split('.').map((octet) => Number(octet).toString(16).padStart(2, '0'))].join(':')
}
