import { closeSync } from 'node:fs'
import { HoldfastError } from '../../../../core/errors.ts'
import type { Pins } from './pins.ts'
import { bpf, bpfError, cString, errnos, mustBpf } from './syscall.ts'

/** linux/bpf.h: where a program is run at a NIC: at tcx before the kernel's own network and behind it, at XDP before the kernel has a buffer for the packet. */
export const attachTypes = { ingress: 46, egress: 47, xdp: 37 } as const
export type AttachPoint = keyof typeof attachTypes

/** `bpf_link_info.type` of links to a NIC: xdp and tcx. */
const nicLinks: readonly number[] = [6, 11]
/** linux/if_link.h, XDP_FLAGS_DRV_MODE: by the NIC's driver, or not at all. */
const byDriver = 4

/** A program at one place of a NIC (tcx: Linux 6.6): it runs as long as anybody holds the link, be it a pin. */
export class NicLink implements Disposable {
  readonly descriptor: number

  constructor(descriptor: number) {
    this.descriptor = descriptor
  }

  /** Index of the NIC; 0 when that has gone, and the link with it. */
  get ifindex(): number {
    const info = Buffer.alloc(64)
    mustBpf('info', { object: this.descriptor, bytes: info.length, info }, 'tell what a link is')
    return nicLinks.includes(info.readUInt32LE(0)) ? info.readUInt32LE(16) : 0
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

/** Has a program run at a NIC: by the link that is pinned for it, or by a new one where there is none or its NIC has gone. */
export function runAt(pins: Pins, ifindex: number, point: AttachPoint, program: number): NicLink {
  const pinned = pinnedLink(pins, ifindex, point)
  if (pinned) {
    pinned.update(program)
    return pinned
  }
  const link = attach(program, ifindex, point)
  pins.pin(`link-${point}`, link.descriptor)
  return link
}

/** The link that is pinned for this NIC; null where there is none. One of a NIC that has gone is forgotten. */
export function pinnedLink(pins: Pins, ifindex: number, point: AttachPoint): NicLink | null {
  const name = `link-${point}`
  const descriptor = pins.get(name)
  if (descriptor === null) return null
  const link = new NicLink(descriptor)
  if (link.ifindex === ifindex) return link
  link[Symbol.dispose]()
  pins.remove(name)
  return null
}

/** Has a program hear of a tracepoint of the kernel, in place of the one that is pinned for it; what is pinned is the attachment. Needs CAP_PERFMON. */
export function listenTo(pins: Pins, tracepoint: string, program: number): void {
  const link = mustBpf('rawTracepointOpen', { name: cString(tracepoint), program }, `tell of ${tracepoint}`)
  try {
    pins.remove(`link-${tracepoint}`)
    pins.pin(`link-${tracepoint}`, link)
  } finally {
    closeSync(link)
  }
}

/** Runs a program at a NIC, behind those that are there already; at XDP there can be one only, and the NIC's driver must know how. */
export function attach(program: number, ifindex: number, point: AttachPoint): NicLink {
  const flags = point === 'xdp' ? byDriver : 0
  const descriptor = bpf('linkCreate', { program, ifindex, attachType: attachTypes[point], flags })
  if (descriptor >= 0) return new NicLink(descriptor)
  if (point === 'xdp') throw refusedByDriver(-descriptor)
  throw bpfError(-descriptor, 'run a program at the NIC', -descriptor === errnos.EINVAL ? { reason: 'no-tcx' } : {})
}

function refusedByDriver(errno: number): HoldfastError {
  const why = driverRefusals[errno] ?? `the NIC’s driver takes no program for XDP: errno ${errno}`
  return new HoldfastError('not-supported', why, 'Nothing has to be done: copies are made without it.', { errno })
}

/** Drivers answer EINVAL or, as veth does, ERANGE where packets of the NIC's MTU do not fit into one page. */
const driverRefusals: Partial<Record<number, string>> = {
  [errnos.EBUSY]: 'the NIC has another program for XDP',
  [errnos.EINVAL]: 'the NIC’s driver takes no program for XDP at this MTU',
  [errnos.ERANGE]: 'the NIC’s driver takes no program for XDP at this MTU',
  [errnos.EOPNOTSUPP]: 'the NIC’s driver has no XDP',
}
