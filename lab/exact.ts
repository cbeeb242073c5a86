import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes a directory and its missing parents with exactly these permissions, whatever the umask is: other accounts of a lab host must get in. */
export async function makeDir(path: string, mode = 0o755): Promise<void> {
  const first = await mkdir(path, { recursive: true })
  if (first === undefined) return
  for (let made = path; made.length > first.length; made = dirname(made)) await chmod(made, mode)
  await chmod(first, mode)
}

/** Writes a file with exactly these permissions, whatever the umask is, and makes its missing parents. */
export async function makeFile(path: string, content: string, mode = 0o644): Promise<void> {
  await makeDir(dirname(path))
  await writeFile(path, content, { mode: mode & 0o700 })
  await chmod(path, mode)
}
