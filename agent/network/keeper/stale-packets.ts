import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Under a flood no queue may ever be seen empty; by then a switch has long read what was in it at first: it takes 32 packets of each in turn. */
const limitMs = 30

/**
 * Resolves when a process has read all that had come to its packet sockets before this was called. A standby that was frozen holds packets
 * that its predecessor has forwarded already; it drops them while it has the gate.
 */
export async function packetsRead(pid: number): Promise<void> {
  const waiting = new Set(openSockets(pid).keys())
  const deadlineMs = performance.now() + limitMs
  for (;;) {
    const queues = parsePacketSockets(readFileSync('/proc/net/packet', 'utf8'))
    for (const inode of waiting) if (!(queues.get(inode) ?? 0)) waiting.delete(inode)
    if (waiting.size === 0 || performance.now() >= deadlineMs) return
    await sleep(1)
  }
}

/** The sockets that a process has open: a descriptor for each inode. */
export function openSockets(pid: number): Map<string, number> {
  const directory = `/proc/${pid}/fd`
  const sockets = new Map<string, number>()
  for (const descriptor of readdirSync(directory)) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`${directory}/${descriptor}`))?.[1]
      if (inode !== undefined) sockets.set(inode, Number(descriptor))
    } catch {
      // Closed in between.
    }
  }
  return sockets
}

/** Bytes that wait in each packet socket of this network namespace, by inode: `Rmem` of /proc/net/packet. */
export function parsePacketSockets(text: string): Map<string, number> {
  const rows = text.trim().split('\n').slice(1)
  return new Map(
    rows.map((row) => {
      const columns = row.trim().split(/\s+/)
      return [columns[8]!, Number(columns[6])]
    }),
  )
}
