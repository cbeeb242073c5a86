import type { Bench } from './bench.ts'

/** Every measurement, in the order of `bench -- list`. */
export const benches: Bench[] = []
