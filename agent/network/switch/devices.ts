import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { runProgram } from '../../runtime/programs.ts'

/**
 * Keeps the host itself from listening at a guest's cable. Where user space forwards, the kernel sees every packet too: without this a
 * guest would reach the host's own addresses, past every ACL, and be answered when it asks for their MAC.
 */
export function isolateDevice(device: string): void {
  const settings = [
    [`ipv4/conf/${device}/arp_ignore`, '8'],
    // There is no route through it, so nothing that comes from it is valid (RFC 3704).
    [`ipv4/conf/${device}/rp_filter`, '1'],
    [`ipv6/conf/${device}/disable_ipv6`, '1'],
  ] as const
  for (const [name, value] of settings) {
    try {
      writeFileSync(`/proc/sys/net/${name}`, value)
    } catch (cause) {
      // A kernel without IPv6 needs no such setting; a device that has just gone neither.
      if (existsSync(`/proc/sys/net/${name}`)) throw cause
    }
  }
}

/** Index of a device of the kernel; null where there is none. */
export function deviceIndex(device: string): number | null {
  try {
    return Number(readFileSync(`/sys/class/net/${device}/ifindex`, 'utf8'))
  } catch {
    return null
  }
}

/** Behind the port for errors: a tap device that a program of ours reads. */
export const errorDevice = 'hf-icmp'

/** Makes it. It is there whether or not anybody reads it, so that the switch never loses the port. */
export async function makeErrorDevice(): Promise<void> {
  if (isUp(errorDevice)) return
  if (deviceIndex(errorDevice) === null) await runProgram(['ip', 'tuntap', 'add', 'dev', errorDevice, 'mode', 'tap'])
  isolateDevice(errorDevice)
  await runProgram(['ip', 'link', 'set', 'dev', errorDevice, 'mtu', '9000', 'up'])
}

/** Whether a device is administratively up: IFF_UP of netdevice(7). */
function isUp(device: string): boolean {
  try {
    return (Number(readFileSync(`/sys/class/net/${device}/flags`, 'utf8')) & 1) === 1
  } catch {
    return false
  }
}

/** Where packets of a bridge are copied to while somebody looks at them; it stays a while for the next one. */
export const mirrorDevice = 'hf-mirror0'

/** Removes the devices that are the switch's own. */
export async function removeDevices(): Promise<void> {
  for (const device of [errorDevice, mirrorDevice]) {
    if (deviceIndex(device) !== null) await runProgram(['ip', 'link', 'delete', 'dev', device])
  }
}

/**
 * Has the NIC take frames for the MAC of the tunnel end, or its own only. An ovs-vswitchd turns this on for itself, and off for all when it
 * ends in good order.
 */
export async function setPromiscuous(nic: string, on: boolean): Promise<void> {
  if (deviceIndex(nic) !== null) await runProgram(['ip', 'link', 'set', 'dev', nic, 'promisc', on ? 'on' : 'off'])
}
