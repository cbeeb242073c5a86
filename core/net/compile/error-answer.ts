import { buildIcmpError } from '../packet/icmp-error.ts'
import { macAt, macBytes } from '../packet/bytes.ts'
import { parseFrame } from '../packet/parse.ts'
import { answerMac, readErrorRequest } from './errors.ts'

/**
 * What goes back into the error port for a frame that came out of it: the ICMP error that the frame earned, or null where the RFCs forbid
 * one. It seems to come from the address that was asked; flows make that the gateway's, unless it is the gateway that was asked.
 */
export function answerError(frame: Uint8Array): Uint8Array | null {
  const request = readErrorRequest(frame)
  const offending = parseFrame(frame)
  if (!request || !offending?.ip) return null
  const { kind, vni, mtuBytes } = request
  const { dst, version } = offending.ip
  const answer = buildIcmpError(
    frame,
    { kind, ...(kind === 'too-big' && { mtuBytes }) },
    { mac: macAt(frame, 0), ...(version === 4 ? { ip4: dst } : { ip6: dst }) },
  )
  answer?.set(macBytes(answerMac(kind, vni)), 0)
  return answer
}
