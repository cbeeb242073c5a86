/** Checks that imports point one way (docs/architecture.md). `node scripts/imports.ts` prints each violation and exits 1 if there is any. */
import { globSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import path from 'node:path'
import ts from 'typescript'

interface Rule {
  /** Files that the rule is for; the first rule whose pattern matches wins. */
  files: RegExp
  /** Files of this repository that they may import, beside their own folder. */
  may: RegExp[]
  /** Whether they may import Node's own modules. */
  node: boolean
}

const core = /^core\//
const labAndAgentPackage = [/^lab\//, /^scripts\/(pack-agent|broadcast-object)\.ts$/]
const allButScreens = /^(?!src-renderer\/)/

/** Who may import what. A file that no rule names is a violation itself, so that a new folder has to be thought about. */
export const rules: Rule[] = [
  { files: /^core\/.*\.test\.ts$/, may: [core], node: true },
  { files: core, may: [core], node: false },
  { files: /^agent\/.*(\.lab\.test\.ts$|\/fixtures\/)/, may: [core, /^agent\//, ...labAndAgentPackage], node: true },
  { files: /^agent\//, may: [core, /^agent\//], node: true },
  { files: /^lab\//, may: [core, /^lab\//], node: true },
  { files: /^src-main\/(cli\/|deploy\/lab|.*\.lab\.test\.ts$)/, may: [core, /^src-main\//, ...labAndAgentPackage], node: true },
  { files: /^src-main\/main\.ts$/, may: [core, /^src-main\//, /^scripts\/pack-agent\.ts$/], node: true },
  { files: /^src-main\//, may: [core, /^src-main\//], node: true },
  { files: /^src-renderer\/(dev\/|.*(\.test\.ts|\.config\.ts|\.config\.js)$)/, may: [core, /^src-renderer\//], node: true },
  { files: /^src-renderer\//, may: [core, /^src-renderer\//], node: false },
  { files: /^(scripts|bench|proofs|e2e)\//, may: [allButScreens], node: true },
  { files: /^[^/]+$/, may: [allButScreens, /^src-renderer\/[^/]+\.config\.ts$/], node: true },
]

const electronHome = /^src-main\/shell\/|^e2e\//

/** Everything that a source text imports: static, dynamic and type-only imports, re-exports, and workers named by `new URL(…, import.meta.url)`. */
function importsOf(file: string, source: string): string[] {
  const code = file.endsWith('.svelte') ? [...source.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map((match) => match[1]).join('\n') : source
  const workers = [...code.matchAll(/new URL\(\s*(['"`])(\.[^'"`]*)\1\s*,\s*import\.meta\.url/g)].map((match) => match[2]!)
  return [...ts.preProcessFile(code, true, true).importedFiles.map((found) => found.fileName), ...workers]
}

/** One sentence for each import of `file` that its rule forbids. `file` is relative to the repository's root. */
export function violationsOf(file: string, source: string): string[] {
  const rule = rules.find((candidate) => candidate.files.test(file))
  if (!rule) return [`${file}: no rule in scripts/imports.ts says what it may import`]
  return importsOf(file, source).flatMap((specifier) => {
    if (specifier.startsWith('.')) {
      const target = path.posix.join(path.posix.dirname(file), specifier)
      return rule.may.some((allowed) => allowed.test(target)) || isAsset(target) ? [] : [`${file}: may not import ${target}`]
    }
    if (specifier.startsWith('node:') || builtinModules.includes(specifier)) {
      return rule.node ? [] : [`${file}: may not import ${specifier}; it runs where Node is not`]
    }
    if (specifier === 'electron') return electronHome.test(file) ? [] : [`${file}: only src-main/shell may import electron`]
    return []
  })
}

/** `new URL('../..', import.meta.url)` and the like name folders and shipped files, which are not code. */
function isAsset(target: string): boolean {
  return !/\.(ts|mts|js|mjs|svelte)$/.test(target)
}

if (import.meta.main) {
  const root = path.resolve(import.meta.dirname, '..')
  const files = globSync('**/*.{ts,svelte,mjs,js}', { cwd: root, exclude: (name) => ['node_modules', 'dist', '.git', 'test-results'].includes(name) })
  const found = files.flatMap((file) => violationsOf(file, readFileSync(path.join(root, file), 'utf8')))
  for (const line of found) console.log(line)
  console.log(`imports: ${files.length} files, ${found.length} violations`)
  process.exitCode = found.length > 0 ? 1 : 0
}
