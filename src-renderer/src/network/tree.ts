import type { Acl, Network, Peering, Port, Router, Vip, Vpc } from '../../../core/model/network.ts'
import type { NetworkView } from './view.ts'

/*
 * The virtual network as a tree: VPCs hold their routers, peerings and networks; networks hold their ACLs, VIPs and ports; a port holds the ACLs
 * of its own.
 */

export type TreeNode =
  | { kind: 'vpc'; doc: Vpc }
  | { kind: 'router'; doc: Router }
  | { kind: 'peering'; doc: Peering }
  | { kind: 'network'; doc: Network }
  | { kind: 'acl'; doc: Acl }
  | { kind: 'port'; doc: Port }
  | { kind: 'vip'; doc: Vip }

export type TreeRow = TreeNode & {
  /** `kind/name`; a peering is listed under both its VPCs, so theirs is in front. */
  key: string
  /** From 1. */
  level: number
  /** Whether what is below it is shown; null for what has nothing below. */
  open: boolean | null
}

interface Branch {
  node: TreeNode
  key: string
  children: Branch[]
}

export const nodeKey = ({ kind, doc }: TreeNode): string => `${kind}/${doc.name}`

function branchesOf(view: NetworkView): Branch[] {
  const leaf = (node: TreeNode, under = ''): Branch => ({ node, key: `${under}${nodeKey(node)}`, children: [] })
  const aclsOf = (target: { network: string } | { port: string }): Branch[] => view.aclsOf(target).map((doc) => leaf({ kind: 'acl', doc }))
  return view.vpcs.map((vpc) => {
    const routers = view.routersOf(vpc.name)
    const peerings = [...new Set(routers.flatMap(({ name }) => view.peeringsOf(name)))]
    return {
      node: { kind: 'vpc', doc: vpc },
      key: `vpc/${vpc.name}`,
      children: [
        ...routers.map((doc) => leaf({ kind: 'router', doc })),
        ...peerings.map((doc) => leaf({ kind: 'peering', doc }, `vpc/${vpc.name}/`)),
        ...view.networksOf(vpc.name).map((network): Branch => ({
          node: { kind: 'network', doc: network },
          key: `network/${network.name}`,
          children: [
            ...aclsOf({ network: network.name }),
            ...view.vipsOf(network.name).map((doc) => leaf({ kind: 'vip', doc })),
            ...view.portsOf(network.name).map((port): Branch => ({
              node: { kind: 'port', doc: port },
              key: `port/${port.name}`,
              children: aclsOf({ port: port.name }),
            })),
          ],
        })),
      ],
    }
  })
}

export interface TreeInput {
  view: NetworkView
  /** Keys of the nodes whose children are shown. */
  open: ReadonlySet<string>
  /** Lower-case words that a node's text must all have; none: everything is shown. */
  words: readonly string[]
  /** What a node is found by, in lower case. */
  textOf: (node: TreeNode) => string
}

/** The rows in sight. While words are looked for, what has them is shown with all that it lies in. */
export function treeRows({ view, open, words, textOf }: TreeInput): TreeRow[] {
  const rows: TreeRow[] = []
  const searching = words.length > 0
  const matches = (branch: Branch): boolean => {
    const text = textOf(branch.node)
    return words.every((word) => text.includes(word))
  }
  /** Answers whether the branch, or anything in it, is shown. */
  const add = (branch: Branch, level: number): boolean => {
    const at = rows.length
    const row: TreeRow = { ...branch.node, key: branch.key, level, open: branch.children.length === 0 ? null : open.has(branch.key) }
    rows.push(row)
    if (!searching) {
      if (row.open) for (const child of branch.children) add(child, level + 1)
      return true
    }
    let inside = false
    for (const child of branch.children) inside = add(child, level + 1) || inside
    if (!inside && !matches(branch)) {
      rows.length = at
      return false
    }
    row.open = branch.children.length === 0 ? null : inside
    return true
  }
  for (const branch of branchesOf(view)) add(branch, 1)
  return rows
}

/** Keys of the nodes that an object lies in, which are opened to show it. */
export function ancestorsOf(view: NetworkView, { kind, id }: { kind: string; id: string }): string[] {
  switch (kind) {
    case 'acl': {
      const acl = view.acl.get(id)
      if (acl?.port !== undefined) return [...ancestorsOf(view, { kind: 'port', id: acl.port }), `port/${acl.port}`]
      return acl?.network === undefined ? [] : [...ancestorsOf(view, { kind: 'network', id: acl.network }), `network/${acl.network}`]
    }
    case 'port':
    case 'vip': {
      const network = view[kind].get(id)?.network
      return network === undefined ? [] : [...ancestorsOf(view, { kind: 'network', id: network }), `network/${network}`]
    }
    case 'network':
      return vpcKey(view.network.get(id)?.vpc)
    case 'router':
      return vpcKey(view.router.get(id)?.vpc)
    case 'peering':
      return vpcKey(view.router.get(view.peerings.find(({ name }) => name === id)?.routers[0] ?? '')?.vpc)
    default:
      return []
  }
}

const vpcKey = (vpc: string | undefined): string[] => (vpc === undefined ? [] : [`vpc/${vpc}`])
