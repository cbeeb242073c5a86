/** The few values that random packets and flows are made of, so that they meet. */

export const macs = ['02:00:00:00:00:01', '02:00:00:00:00:02', '02:00:00:00:00:03'] as const
export const groupMacs = ['ff:ff:ff:ff:ff:ff', '33:33:ff:00:00:02'] as const
export const ip4s = ['10.0.0.1', '10.0.0.2', '10.0.1.3'] as const
export const ip6s = ['fd00::1', 'fd00::2', 'fe80::3'] as const
export const l4Ports = [22, 80, 81, 1000] as const
export const vlanIds = [10, 11] as const
export const ttls = [64, 64, 64, 2, 1, 0, 255] as const
export const tunnelIds = [77, 78, 0x10001] as const
/** TCP flags: S, SA, A, PA, FA, R, RA, none, SF. */
export const tcpFlagSets = [2, 2, 18, 18, 16, 16, 24, 17, 4, 20, 0, 3] as const
export const zones = [5, 6] as const
export const tableCount = 6
export const groupIds = [1, 2, 3] as const
