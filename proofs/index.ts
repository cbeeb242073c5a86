import applyKill from './apply-kill/apply-kill.ts'
import clusterLeadership from './cluster-leadership.ts'
import faultJourney from './fault-journey/fault-journey.ts'
import openflowAgreement from './openflow-agreement/openflow-agreement.ts'
import traceAgreement from './trace-agreement/trace-agreement.ts'
import type { Proof } from './proof.ts'

/** Every proof, newest area first: CI runs as many as fit into its time, in this order. */
export const proofs: Proof[] = [applyKill, faultJourney, traceAgreement, openflowAgreement, clusterLeadership]
