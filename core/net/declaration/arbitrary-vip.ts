import fc from 'fast-check'
import { pick, pickFrom, type MadeBy } from './arbitrary-acl.ts'
import { freeAddress } from './arbitrary-address.ts'
import type { Declaration, DeclaredVip } from './schema.ts'

/** What a VIP is made from. */
export const vipRecipe = fc.record({
  network: pick,
  place: pick,
  six: fc.constantFrom(false, false, true),
  ports: fc.array(pick, { minLength: 1, maxLength: 3 }),
  healthCheck: fc.constantFrom<DeclaredVip['healthCheck']>(
    undefined,
    undefined,
    { tcp: 3306 },
    { http: '/health' },
    { http: '/', port: 8080 },
    { command: ['pg_isready', '-q'] },
  ),
  priority: fc.option(fc.nat({ max: 255 })),
})

/** Adds the VIP of a recipe, if its network has a port and an address for it. */
export function addVip(declaration: Declaration, index: number, recipe: MadeBy<typeof vipRecipe>): void {
  const network = pickFrom(declaration.networks, recipe.network)!
  const neighbours = declaration.ports.filter((port) => port.network === network.name)
  const ports = [...new Set(recipe.ports.flatMap((number) => pickFrom(neighbours, number) ?? []))]
  const six = recipe.six && network.subnet6 !== undefined
  const taken = [
    ...neighbours.flatMap(({ ip, ip6 }) => [ip, ip6]),
    ...declaration.vips.filter((vip) => vip.network === network.name).map(({ ip }) => ip),
  ]
  const ip = freeAddress(
    six ? network.subnet6! : network.subnet,
    recipe.place,
    [...taken, network.gateway, network.gateway6].filter((text) => text?.includes(':') === six),
  )
  if (ports.length === 0 || ip === null) return
  const { healthCheck, priority } = recipe
  // A command is run in guests only.
  const isCheckable = !(healthCheck && 'command' in healthCheck) || ports.every(({ attach }) => attach.kind === 'netns' || attach.kind === 'vm')
  declaration.vips.push({
    name: `vip-${index}`,
    network: network.name,
    ip,
    ports: ports.map(({ name }) => name),
    ...(healthCheck && isCheckable && { healthCheck }),
    ...(priority !== null && { priorities: { [ports.at(-1)!.name]: priority } }),
  })
}
