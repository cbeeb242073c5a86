const rowBytes = 16

/** Bytes as people read them: offset, hexadecimal digits in two groups of eight, and what of them is printable ASCII; 16 a line. */
export function hexDump(bytes: Uint8Array): string[] {
  return Array.from({ length: Math.ceil(bytes.length / rowBytes) }, (_, row) => {
    const part = [...bytes.subarray(row * rowBytes, (row + 1) * rowBytes)]
    const digits = part.map((byte) => byte.toString(16).padStart(2, '0'))
    const hex = `${digits.slice(0, 8).join(' ')}  ${digits.slice(8).join(' ')}`.padEnd(rowBytes * 3)
    const text = part.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('')
    return `${(row * rowBytes).toString(16).padStart(4, '0')}  ${hex}  ${text}`
  })
}
