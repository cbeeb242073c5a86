export type LogFields = Record<string, unknown>

/** Structured log on stderr: one JSON object a line. Never hand it a secret. */
export interface Logger {
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

/** A logger whose lines carry the name of the part that writes them. */
export function createLogger(part: string, write: (line: string) => void = (line) => process.stderr.write(line)): Logger {
  const log =
    (level: string) =>
    (message: string, fields: LogFields = {}) => {
      write(`${JSON.stringify({ at: new Date().toISOString(), level, part, message, ...fields }, plain)}\n`)
    }
  return { info: log('info'), warn: log('warn'), error: log('error') }
}

/** Errors have no enumerable fields; long texts are cut, so that no peer can fill the disk with one line. */
function plain(_key: string, value: unknown): unknown {
  if (value instanceof Error) return { name: value.name, message: value.message, code: (value as { code?: unknown }).code }
  return typeof value === 'string' && value.length > 2_000 ? `${value.slice(0, 2_000)}…` : value
}
