/**
 * Most hosts that a network in mode `source` may have ports on. A host's flow for its broadcast has one `set_field` and one `output` for each of
 * the others, and three things bound it; `npm run -s bench -- source-limits` finds them on the Open vSwitch at hand. Of Debian's 3.1.0:
 *
 * - the data path's actions, of 64 KiB, 84 bytes for a copy in VXLAN: 780 copies. What is more is lost, and nobody says so;
 * - what ovs-ofctl(8) takes, 64 KiB of its own form: 1,364 copies. More is refused;
 * - an OpenFlow message (OpenFlow 1.5.1 §7.1), whose length in bytes has 16 bits: 2,044 copies.
 *
 * A tenth of the first is left to ports on the host itself.
 */
export const maxSourceMembers = 700
