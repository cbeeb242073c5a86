import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { z } from 'zod'
import { HoldfastError } from '../../core/errors.ts'
import { tunnelEndSchema, virtualNetworkSchema, type VirtualNetwork } from '../../core/model/network.ts'

/**
 * Where the network module keeps what in the store. Apart from the cluster's prefix, which every cluster module watches. The whole
 * virtual network is one key, so that every change of it is one revision and no host ever sees half of one.
 */
export const networkKeys = {
  prefix: '/holdfast-network/',
  desired: '/holdfast-network/desired',
  /** Where a host's tunnels end, written by itself. */
  end: (host: string) => `/holdfast-network/ends/${host}`,
  ends: '/holdfast-network/ends/',
  /** What a host has in place, written by itself. */
  placed: (host: string) => `/holdfast-network/placed/${host}`,
  placedAll: '/holdfast-network/placed/',
} as const

/** The virtual network as it is stored: JSON, gzipped, in base64. 2,000 ports are about 80 kB. */
const desiredDocSchema = z.looseObject({ format: z.literal(1), gzip: z.base64() })
/** What one host has in place. `revision` is that of the desired network's last change. */
export const placedDocSchema = z.looseObject({ revision: z.number().int().nullable(), problems: z.array(z.string()) })
export type PlacedDoc = z.infer<typeof placedDocSchema>
export const endDocSchema = tunnelEndSchema

/** etcd takes requests of at most 1.5 MiB; its gateway's base64 adds a third. */
const maxStoredBytes = 1_000_000
const maxJsonBytes = 64 * 1024 * 1024

const compress = promisify(gzip)
const expand = promisify(gunzip)

/** Throws `bad-input` for a network that is too large to be stored in one revision. */
export async function encodeNetwork(network: VirtualNetwork): Promise<unknown> {
  const packed = (await compress(JSON.stringify(network))).toString('base64')
  if (packed.length <= maxStoredBytes) return { format: 1, gzip: packed }
  throw new HoldfastError(
    'bad-input',
    `The virtual network takes ${packed.length} bytes in the store; one revision holds ${maxStoredBytes}`,
    'Divide it over two clusters, or leave out ports that nobody uses.',
  )
}

/** Throws `internal` for something that is no virtual network, e.g. of a later version. */
export async function decodeNetwork(value: unknown): Promise<VirtualNetwork> {
  try {
    const { gzip: packed } = desiredDocSchema.parse(value)
    const json = await expand(Buffer.from(packed, 'base64'), { maxOutputLength: maxJsonBytes })
    return virtualNetworkSchema.parse(JSON.parse(json.toString()))
  } catch (cause) {
    throw new HoldfastError(
      'internal',
      'The virtual network in the store cannot be read by this version',
      'Upgrade this host to the version that wrote it.',
      {},
      { cause },
    )
  }
}
