/** A number of 32 bits for a text: FNV-1a (draft-eastlake-fnv), then the finaliser of MurmurHash3 so that names which differ in one letter are far apart. */
export function hash32(text: string): number {
  let h = 0x811c9dc5
  for (let index = 0; index < text.length; index++) h = Math.imul(h ^ text.charCodeAt(index), 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
