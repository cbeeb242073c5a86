import type { DropReason } from '../../model/trace.ts'

/** What is to be said of a drop. */
export interface DropFacts {
  reason: DropReason
  host: string
  device: string
  /** `kind/name`; null where nothing declared is at fault. */
  object: string | null
  /** What the packet was, in a few words: `tcp 10.20.1.11:4000 → 10.20.2.11:22`. */
  packet: string
}

const nameOf = (object: string | null): string => object?.slice(object.indexOf('/') + 1) ?? ''

/** What to do about each kind of drop, in a sentence. */
const hints: Record<DropReason, (facts: DropFacts) => string> = {
  'acl': ({ object, packet }) => `ACL ${nameOf(object)} drops ${packet}. If it should pass, allow it with a higher priority.`,
  'no-route': ({ object }) =>
    object?.startsWith('network/')
      ? `Network ${nameOf(object)} has no router. Declare one that has this network and the destination's.`
      : `Router ${nameOf(object)} has no route for it. Attach the network, add a static route, or peer the two VPCs.`,
  'port-security': ({ object, packet }) =>
    `Port ${nameOf(object)} may not send ${packet}: it is not its MAC or address. If it routes for others, list them under allow.`,
  'vip-claim': ({ object, packet }) =>
    `Port ${nameOf(object)} may not send ${packet}: it is not among the ports of that VIP. If it may have it, list it there.`,
  'unknown-destination': () => 'No port has this address or MAC. Check the address, or declare the port.',
  'arp-unanswered': ({ object }) =>
    object?.startsWith('vip/')
      ? `None of the ports of VIP ${nameOf(object)} has it now. See that their guests run what claims it, e.g. keepalived.`
      : 'Nobody in the network has this address. Check the address, or declare the port.',
  'ttl': () => 'Its TTL ran out on the way: it was sent with too few, or goes in circles.',
  'mtu': ({ object }) => `It is larger than ${nameOf(object)} takes. Send less at once, or raise the MTU of the network and of what carries it.`,
  'wrong-vni': ({ host }) =>
    `${host} has no port in the network that the tunnel names: the two hosts disagree about it. See what revision each has in place.`,
  'link-down': ({ object }) => `The link ${nameOf(object)} has no carrier. Check the cable and both its ends.`,
  'host-down': ({ host }) => `${host} does not answer. Check its power, or move its ports.`,
  'port-down': ({ object }) => `The device of port ${nameOf(object)} is missing or has no carrier: its guest is off or gone.`,
  'switch-down': ({ host }) => `The virtual switch of ${host} does not run. See its events; holdfast network failover ${host} starts the other one.`,
  'flow-missing': ({ host }) => `${host} lacks a flow that it should have. Its agent puts that right by itself; if not, see its events.`,
  'flow-altered': ({ host }) => `A flow of ${host} is not as it should be. Its agent puts that right by itself; if not, see its events.`,
  'link-silent': ({ object, host }) =>
    object === null
      ? `Heartbeats do not pass it either, though both NICs have a carrier. It is at ${host} or beyond it: what joins the switches, or a port of them.`
      : `Heartbeats do not pass ${nameOf(object)} either, though both NICs have a carrier. Look at both its ends for a wrong VLAN, a blocked port or a filter.`,
  'nic-missing': ({ host, device }) => `${host} has no NIC ${device}. See what its NICs are called now.`,
}

export function hintOf(facts: DropFacts): string {
  return hints[facts.reason](facts)
}
