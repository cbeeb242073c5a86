import { randomInt } from 'node:crypto'
import { runProgram } from '../runtime/programs.ts'

export interface SwallowOptions {
  /** Program and arguments that put what follows into the device's namespace. */
  enter: readonly string[]
  device: string
  /** In the syntax of pcap-filter(7). */
  filter: string
}

/** tc's verdicts, linux/pkt_cls.h: go on with the next filter, and drop. */
const [unspecified, shot] = [-1 >>> 0, 2]

/**
 * Drops what a device receives and a filter matches, behind the taps on that device, until disposed of. A classic BPF program in
 * direct-action mode (tc-bpf(8)): its return value is the verdict, so that no action module is needed. Several may stand on one device, and
 * none takes another away: the empty qdisc stays.
 */
export async function swallow({ enter, device, filter }: SwallowOptions): Promise<AsyncDisposable> {
  const program = verdictProgram(await runProgram(['tcpdump', '-y', 'EN10MB', '-ddd', '--', filter]))
  const tc = (...argv: string[]) => runProgram([...enter, 'tc', ...argv] as unknown as [string, ...string[]])
  const own = ['dev', device, 'ingress', 'pref', String(randomInt(1, 0xffff))]
  // Fails where it is there already, and that is all right; where it is missing, the filter fails.
  await tc('qdisc', 'add', 'dev', device, 'clsact').catch(() => undefined)
  await tc('filter', 'add', ...own, 'protocol', 'all', 'bpf', 'direct-action', 'bytecode', program)
  return {
    async [Symbol.asyncDispose]() {
      await tc('filter', 'del', ...own).catch(() => undefined)
    },
  }
}

/** A program as `tcpdump -ddd` prints it, with verdicts of tc in place of the lengths that it returns; `RET #k` is opcode 6. */
export function verdictProgram(printed: string): string {
  return printed
    .trim()
    .split('\n')
    .map((line) => {
      const [code, jumpTrue, jumpFalse, value] = line.split(' ')
      return code === '6' && value !== undefined ? [code, jumpTrue, jumpFalse, value === '0' ? unspecified : shot].join(' ') : line
    })
    .join(',')
}
