import koffi from 'koffi'

/** The few system calls that Node has no way to make. Numbers as on Linux; buffers are little-endian structures of the kernel's headers. */
export interface Libc {
  socket(family: number, type: number, protocol: number): number
  send(descriptor: number, bytes: Buffer, length: number, flags: number): number
  recv(descriptor: number, bytes: Buffer, length: number, flags: number): number
  sendto(descriptor: number, bytes: Buffer, length: number, flags: number, address: Buffer, addressLength: number): number
  /** The sender's address goes to `address`; `addressLength` is one number, in and out. */
  recvfrom(descriptor: number, bytes: Buffer, length: number, flags: number, address: Buffer, addressLength: [number]): number
  bind(descriptor: number, address: Buffer, addressLength: number): number
  setsockopt(descriptor: number, level: number, option: number, value: Buffer, valueLength: number): number
  close(descriptor: number): number
  if_nametoindex(name: string): number
  setns(descriptor: number, type: number): number
}

let libc: Libc | undefined

/** Symbols of the process itself, so of whichever libc it runs on. */
export function loadLibc(): Libc {
  if (libc) return libc
  const self = koffi.load(null)
  libc = {
    socket: self.func('int socket(int, int, int)'),
    send: self.func('intptr_t send(int, const void *, size_t, int)'),
    recv: self.func('intptr_t recv(int, _Out_ void *, size_t, int)'),
    sendto: self.func('intptr_t sendto(int, const void *, size_t, int, const void *, uint)'),
    recvfrom: self.func('intptr_t recvfrom(int, _Out_ void *, size_t, int, _Out_ void *, _Inout_ uint *)'),
    bind: self.func('int bind(int, const void *, uint)'),
    setsockopt: self.func('int setsockopt(int, int, int, const void *, uint)'),
    close: self.func('int close(int)'),
    if_nametoindex: self.func('uint if_nametoindex(const char *)'),
    setns: self.func('int setns(int, int)'),
  } as unknown as Libc
  return libc
}

export const sockStream = 1
export const sockDgram = 2
export const sockRaw = 3
export const sockCloexec = 0o2000000
export const msgDontwait = 0x40
