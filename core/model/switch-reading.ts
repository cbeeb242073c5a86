import { z } from 'zod'
import { liveStateSchema, macSchema } from './common.ts'

/** Unicast packets since the switch was started; null: it does not count them. */
const packetsSchema = z.number().int().nonnegative().nullable()

/** A port of a switch by the name that it was asked by, else its interface's, and what IF-MIB (RFC 2863) says of it. */
export const switchPortSchema = z.object({ port: z.string(), state: liveStateSchema, inPackets: packetsSchema, outPackets: packetsSchema })

/** What a switch says by SNMP at one moment of some of its ports, and behind which port it has learned MACs; null: behind none. */
export const switchReadingSchema = z.object({
  ports: z.array(switchPortSchema),
  learned: z.array(z.object({ mac: macSchema, port: z.string().nullable() })),
})
export type SwitchReading = z.infer<typeof switchReadingSchema>

/** What a switch is asked: ports as LLDP names them, and MACs. */
export const switchQuestionSchema = z.object({ ports: z.array(z.string().min(1).max(255)).max(8), macs: z.array(macSchema).max(8) })
export type SwitchQuestion = z.infer<typeof switchQuestionSchema>
