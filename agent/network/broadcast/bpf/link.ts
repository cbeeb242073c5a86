import { closeSync } from 'node:fs'
import { bpf, bpfError, errnos, mustBpf } from './syscall.ts'

/** linux/bpf.h: where a program is run at a NIC, before the kernel's own network and behind it. */
export const tcxAttachTypes = { ingress: 46, egress: 47 } as const
export type TcxSide = keyof typeof tcxAttachTypes

/** `bpf_link_info.type` of a tcx link. */
const tcxLink = 11

/** A program at one side of a NIC, by a tcx link (Linux 6.6): it runs as long as anybody holds the link, be it a pin. */
export class TcxLink implements Disposable {
  readonly descriptor: number

  constructor(descriptor: number) {
    this.descriptor = descriptor
  }

  /** Index of the NIC; 0 when that has gone, and the link with it. */
  get ifindex(): number {
    const info = Buffer.alloc(64)
    mustBpf('info', { object: this.descriptor, bytes: info.length, info }, 'tell what a link is')
    return info.readUInt32LE(0) === tcxLink ? info.readUInt32LE(16) : 0
  }

  /** Puts another program in place of the one that runs: every packet meets one of them. */
  update(program: number): void {
    mustBpf('linkUpdate', { link: this.descriptor, program }, 'swap the program')
  }

  /** Takes the program off the NIC now, whoever else holds the link. */
  detach(): void {
    mustBpf('linkDetach', { link: this.descriptor }, 'take the program off the NIC')
  }

  [Symbol.dispose](): void {
    closeSync(this.descriptor)
  }
}

/** Runs a program at a NIC, behind those that are there already. */
export function attachTcx(program: number, ifindex: number, side: TcxSide): TcxLink {
  const descriptor = bpf('linkCreate', { program, ifindex, attachType: tcxAttachTypes[side] })
  if (descriptor >= 0) return new TcxLink(descriptor)
  throw bpfError(-descriptor, 'run a program at the NIC', -descriptor === errnos.EINVAL ? { reason: 'no-tcx' } : {})
}
