/** The function, with its results kept: the same texts come with every plan and every trace. Forgotten all at once when there are too many. */
export function remembered<T>(parse: (text: string) => T): (text: string) => T {
  const limit = 100_000
  const known = new Map<string, T>()
  return (text) => {
    const found = known.get(text)
    if (found !== undefined) return found
    const parsed = parse(text)
    if (known.size >= limit) known.clear()
    known.set(text, parsed)
    return parsed
  }
}
