import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, symlinkSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** Replaces a file so that after a power cut it is the old or the new one, whole: write beside, fsync, rename, fsync the directory. */
export function replaceFile(path: string, content: string, mode: number): void {
  const directory = dirname(path)
  mkdirSync(directory, { recursive: true, mode: 0o755 })
  writeSynced(`${path}.new`, content, mode)
  renameSync(`${path}.new`, path)
  syncDirectory(directory)
}

/** Writes a file and waits until it is on the disk. */
export function writeSynced(path: string, content: string, mode: number): void {
  const file = openSync(path, 'w', mode)
  try {
    writeSync(file, content)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Waits until a directory's entries are on the disk. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

/** Points a symlink elsewhere in one step. */
export function replaceSymlink(path: string, target: string): void {
  const temporary = `${path}.new-${process.pid}`
  symlinkSync(target, temporary)
  renameSync(temporary, path)
  syncDirectory(dirname(path))
}
