import { Document, isMap, isScalar, isSeq, parseDocument, type ParsedNode, type YAMLMap, type YAMLSeq } from 'yaml'

/*
 * Edits of a declaration's text that leave everything else in it as it was written: comments, order, blank lines. A text that is no YAML is
 * not edited.
 */

/** Lists of a declaration, by the kind of object in them. */
export const listOf = {
  vpc: 'vpcs',
  network: 'networks',
  router: 'routers',
  peering: 'peerings',
  acl: 'acls',
  port: 'ports',
  host: 'hosts',
  vip: 'vips',
} as const
export type DeclaredKind = keyof typeof listOf
export const isDeclaredKind = (kind: string): kind is DeclaredKind => Object.hasOwn(listOf, kind)

/** One object as a declaration has it. */
export type DeclaredItem = { name: string } & Record<string, unknown>

interface Found {
  list: YAMLSeq<ParsedNode>
  /** Null where the list is written in flow style, so that its items have no lines of their own. */
  item: { node: YAMLMap.Parsed; from: number; to: number } | null
}

function read(text: string): Document.Parsed | null {
  const document = parseDocument(text, { prettyErrors: false })
  const isOne = document.contents === null || isMap(document.contents)
  return document.errors.length === 0 && isOne ? document : null
}

/** Whether a text can be edited. */
export const isEditable = (text: string): boolean => read(text) !== null

const nameOf = (node: unknown): unknown => (isMap(node) ? node.get('name') : undefined)

function find(document: Document.Parsed, text: string, kind: DeclaredKind, name: string): Found | null {
  const list = isMap(document.contents) ? document.contents.get(listOf[kind], true) : undefined
  if (!isSeq(list)) return null
  const node = list.items.find((item) => nameOf(item) === name)
  return {
    list: list as YAMLSeq<ParsedNode>,
    item: isMap(node) && !list.flow ? { node: node as YAMLMap.Parsed, ...linesOf(text, (node as YAMLMap.Parsed).range) } : null,
  }
}

/** From the begin of the line that a node begins on to behind the end of the line that it ends on. */
function linesOf(text: string, [start, end]: readonly [number, number, number]): { from: number; to: number } {
  const last = text.slice(0, end).trimEnd().length
  const newline = text.indexOf('\n', last)
  return { from: text.lastIndexOf('\n', start - 1) + 1, to: newline < 0 ? text.length : newline + 1 }
}

/** The object's line, from 1; null where the text has no such object. */
export function lineOfItem(text: string, kind: DeclaredKind, name: string): number | null {
  const document = read(text)
  const found = document && find(document, text, kind, name)?.item
  return found ? text.slice(0, found.from).split('\n').length : null
}

/** The object as plain values; null where the text has no such object. */
export function itemOf(text: string, kind: DeclaredKind, name: string): DeclaredItem | null {
  const document = read(text)
  const items = (document?.toJS() as Record<string, DeclaredItem[] | undefined> | null)?.[listOf[kind]]
  return items?.find((item) => item?.name === name) ?? null
}

/** A declaration of that one object. */
export function partOf(text: string, kind: DeclaredKind, name: string): string | null {
  const item = itemOf(text, kind, name)
  return item && `${listOf[kind]}:\n  - ${flowText(item)}\n`
}

/** On one line: `{name: web, vpc: shop}`. */
export function flowText(item: DeclaredItem): string {
  const document = new Document(item, { aliasDuplicateObjects: false })
  if (isMap(document.contents)) document.contents.flow = true
  return document.toString({ lineWidth: 0, flowCollectionPadding: false }).trim()
}

/** The text with the object in it, instead of the one by that name where there is one; null where the text cannot be edited. */
export function withItem(text: string, kind: DeclaredKind, item: DeclaredItem): string | null {
  const document = read(text)
  if (!document) return null
  const found = find(document, text, kind, item.name)
  if (found?.item) {
    const { from, to } = found.item
    const indent = /^\s*/.exec(text.slice(from))![0]
    return `${text.slice(0, from)}${indent}- ${flowText(item)}\n${text.slice(to)}`
  }
  if (!found) return addList(document, text, kind, item)
  if (found.list.flow || found.list.items.length === 0) return rewritten(document, kind, item)
  const { from, to } = linesOf(text, found.list.items.at(-1)!.range)
  const indent = /^\s*/.exec(text.slice(from))![0]
  return `${newlineAtEnd(text.slice(0, to))}${indent}- ${flowText(item)}\n${text.slice(to)}`
}

const newlineAtEnd = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`)

function addList(document: Document.Parsed, text: string, kind: DeclaredKind, item: DeclaredItem): string {
  const key = isMap(document.contents)
    ? document.contents.items.find((pair) => isScalar(pair.key) && pair.key.value === listOf[kind])?.key
    : undefined
  const block = `  - ${flowText(item)}\n`
  if (!isScalar(key)) return `${newlineAtEnd(text)}${listOf[kind]}:\n${block}`
  // The key is there with nothing behind it.
  const { to } = linesOf(text, (key as ParsedNode).range)
  return `${newlineAtEnd(text.slice(0, to))}${block}${text.slice(to)}`
}

/** Where items have no lines of their own the document is written anew. */
function rewritten(document: Document.Parsed, kind: DeclaredKind, item: DeclaredItem): string {
  const path = [listOf[kind]]
  const list = document.getIn(path, true)
  const index = isSeq(list) ? list.items.findIndex((other) => nameOf(other) === item.name) : -1
  if (index >= 0) document.setIn([...path, index], item)
  else document.addIn(path, document.createNode(item, { flow: true }))
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}

/** The text without the object; null where the text cannot be edited or has no such object. */
export function withoutItem(text: string, kind: DeclaredKind, name: string): string | null {
  const document = read(text)
  const found = document && find(document, text, kind, name)
  if (!document || !found) return null
  if (found.item) return text.slice(0, found.item.from) + text.slice(found.item.to)
  const index = found.list.items.findIndex((item) => nameOf(item) === name)
  if (index < 0) return null
  document.deleteIn([listOf[kind], index])
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}
