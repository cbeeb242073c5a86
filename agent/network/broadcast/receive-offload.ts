import koffi from 'koffi'
import { loadLibc, sockCloexec, sockDgram } from '../../cluster/libc.ts'

const afInet = 2
/** linux/sockios.h, linux/ethtool.h. */
const siocEthtool = 0x8946n
const commands = { get: 0x2b, set: 0x2c } as const

/** Whether the kernel joins received TCP packets to larger ones at this NIC (GRO); null where it does not tell. */
export function groIsOn(nic: string): boolean | null {
  const value = ethtool(nic, commands.get, 0)
  return value && value.readUInt32LE(4) === 1
}

/** What cannot be is left as it is. */
export function setGro(nic: string, on: boolean): void {
  ethtool(nic, commands.set, Number(on))
}

/** netdevice(7): a `struct ethtool_value` after the kernel has seen it; null where it refused. */
function ethtool(nic: string, command: number, value: number): Buffer | null {
  const ioctl = koffi.load(null).func('int ioctl(int, unsigned long, void *)') as unknown as (fd: number, request: bigint, argument: Buffer) => number
  const argument = Buffer.alloc(8)
  argument.writeUInt32LE(command, 0)
  argument.writeUInt32LE(value, 4)
  const request = Buffer.alloc(40)
  request.write(nic.slice(0, 15), 'latin1')
  request.writeBigUInt64LE(koffi.address(argument), 16)
  const socket = loadLibc().socket(afInet, sockDgram | sockCloexec, 0)
  try {
    return ioctl(socket, siocEthtool, request) === 0 ? argument : null
  } finally {
    loadLibc().close(socket)
  }
}
