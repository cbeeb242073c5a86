/** What the picture shows: switches and hosts, networks and their ports, or both as one. */
export const layers = ['both', 'physical', 'virtual'] as const
export type Layer = (typeof layers)[number]
