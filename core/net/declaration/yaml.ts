import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type ParsedNode } from 'yaml'
import { pathOf, type Place, type Problem } from './problems.ts'

/** What a text was read as. */
export interface YamlReading {
  /** Plain values; of no use if there are problems. */
  value: unknown
  /** Line of each value, from 1, by its path. */
  lines: Map<string, number>
  problems: Problem[]
}

/** Reads one YAML 1.2 document, whatever the text. Aliases are problems: a few of them can stand for more objects than fit into memory. */
export function readYaml(text: string): YamlReading {
  const lineCounter = new LineCounter()
  const lineOf = (offset: number): number => lineCounter.linePos(offset).line
  const lines = new Map<string, number>()
  const problems: Problem[] = []
  const report = (line: number | null, place: Place, message: string, remedy: string): void => {
    problems.push({ line, path: pathOf(place), message, remedy })
  }

  function read(node: ParsedNode | null, place: Place): unknown {
    if (node === null) return null
    const line = lineOf(node.range[0])
    // A value stands where its key does, also one that begins on the next line.
    if (!lines.has(pathOf(place))) lines.set(pathOf(place), line)
    if (isScalar(node)) return node.value
    if (isSeq(node)) return node.items.map((item, index) => read(item as ParsedNode, [...place, index]))
    if (isMap(node)) return readMap(node.items as { key: ParsedNode; value: ParsedNode | null }[], place)
    if (isAlias(node)) report(line, place, `*${node.source} stands for something that is written elsewhere`, 'Write it out in full here.')
    return null
  }

  function readMap(pairs: readonly { key: ParsedNode; value: ParsedNode | null }[], place: Place): unknown {
    const entries = new Map<string, unknown>()
    for (const { key, value } of pairs) {
      const name = String(isScalar(key) ? key.value : key)
      const inner = [...place, name]
      const line = lineOf(key.range[0])
      if (entries.has(name)) report(line, inner, `${name} is said twice`, 'Say it once.')
      lines.set(pathOf(inner), line)
      entries.set(name, read(value, inner))
    }
    return Object.fromEntries(entries)
  }

  try {
    // Keys are compared by `readMap`: the library compares each with each.
    const document = parseDocument(text, { lineCounter, prettyErrors: false, stringKeys: true, uniqueKeys: false, resolveKnownTags: false })
    const said = new Set<string>()
    for (const { pos, code, message } of [...document.errors, ...document.warnings]) {
      const line = lineOf(pos[0])
      const what = code === 'MULTIPLE_DOCS' ? 'There is a second document' : `This is no YAML as it is understood here: ${message}`
      // One slip of the pen can make the parser stumble often.
      if (!said.has(`${line} ${what}`)) report(line, [], what, 'Write one document, with objects as in: - {name: web, vpc: shop}')
      said.add(`${line} ${what}`)
    }
    return { value: problems.length > 0 ? null : read(document.contents, []), lines, problems }
  } catch (error) {
    // The parser and `read` call themselves for what is nested, and there is only so much stack.
    report(null, [], `The document cannot be read: ${String(error)}`, 'Nest lists and maps less deeply.')
    return { value: null, lines, problems }
  }
}
