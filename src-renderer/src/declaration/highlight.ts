/** What a piece of a line of YAML is: keys and marks are quieter than what they are about, comments quietest. */
export type TokenKind = 'key' | 'value' | 'mark' | 'comment'
export interface Token {
  kind: TokenKind
  text: string
}

const pattern = /(#.*$)|("(?:[^"\\]|\\.)*"?|'[^']*'?)|([A-Za-z_][\w-]*)(?=\s*:(?:\s|$))|([{}[\],]|:(?=\s|$)|^\s*-(?=\s|$))|([^\s{}[\],#"']+|#)|(\s+)/g

/** One line of a declaration in pieces; together they are the line. Each line is read by itself: declarations have no values over several. */
export function tokensOf(line: string): Token[] {
  const tokens: Token[] = []
  const add = (kind: TokenKind, text: string): void => {
    const last = tokens.at(-1)
    if (last?.kind === kind) last.text += text
    else tokens.push({ kind, text })
  }
  let rest = 0
  for (const match of line.matchAll(pattern)) {
    if (match.index > rest) add('value', line.slice(rest, match.index))
    rest = match.index + match[0].length
    const [text, comment, quoted, key, mark, word] = match
    // A hash begins a comment only where a word does not go on.
    if (comment !== undefined && match.index > 0 && !/\s/.test(line[match.index - 1]!)) add('value', text)
    else if (comment !== undefined) add('comment', text)
    else if (key !== undefined) add('key', text)
    else if (mark !== undefined) add('mark', text)
    else if (quoted !== undefined || word !== undefined) add('value', text)
    else add(tokens.at(-1)?.kind ?? 'mark', text)
  }
  if (rest < line.length) add('value', line.slice(rest))
  return tokens
}
