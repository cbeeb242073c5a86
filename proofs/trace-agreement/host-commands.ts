import type { TunnelEnd } from '../../core/model/network.ts'
import type { Flow } from '../../core/net/openflow/flow.ts'

/** A guest of a host as it is to be; it is known by the number of its port. */
export interface GuestSetup {
  number: number
  mac: string
  /** With prefix length. */
  addresses: string[]
  gateways: string[]
}

/** A packet that a guest sends. `kernel`: an IP packet that its system finds the way for; `wire`: a frame as it is. Bytes in hexadecimal. */
export interface Sending {
  number: number
  way: 'kernel' | 'wire'
  bytes: string
}

/** A frame that came to a guest, in hexadecimal. */
export interface Arrived {
  number: number
  frame: string
}

/** What a lab host does for the proof, one line of JSON each; it answers each with one line. */
export type HostCommand =
  | { do: 'start'; end: TunnelEnd & { prefixLength: number }; peers: TunnelEnd[]; numbers: number[] }
  | { do: 'network'; flows: Flow[]; guests: GuestSetup[] }
  /** Cuts and mends the cables of guests; these are down, all others up. */
  | { do: 'cables'; down: number[] }
  | { do: 'mtu'; bytes: number }
  | { do: 'send'; packets: Sending[] }
  /** What has come to guests since this was asked last. */
  | { do: 'seen' }
  | { do: 'forget' }
