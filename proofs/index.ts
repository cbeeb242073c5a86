import applyKill from './apply-kill/apply-kill.ts'
import broadcastFaults from './broadcast-faults/broadcast-faults.ts'
import clusterLeadership from './cluster-leadership.ts'
import faultJourney from './fault-journey/fault-journey.ts'
import openflowAgreement from './openflow-agreement/openflow-agreement.ts'
import traceAgreement from './trace-agreement/trace-agreement.ts'
import type { Proof } from './proof.ts'

/** Every proof, newest area first: CI runs as many as fit into its time, in this order. */
export const proofs: Proof[] = [broadcastFaults, applyKill, faultJourney, traceAgreement, openflowAgreement, clusterLeadership]
