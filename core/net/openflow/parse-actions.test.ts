import { describe, expect, it } from 'vitest'
import { at } from './fields.ts'
import { parseActions } from './parse-actions.ts'

const register = (index: number, value: number, mask = 0xffff_ffff) => ({ word: at.registers + index, value, mask })

describe('actions', () => {
  it.each([
    ['drop', []],
    ['output:2', [{ kind: 'output', port: 2 }]],
    ['2', [{ kind: 'output', port: 2 }]],
    ['in_port', [{ kind: 'output', port: 0xfff8 }]],
    [
      'IN_PORT,LOCAL',
      [
        { kind: 'output', port: 0xfff8 },
        { kind: 'output', port: 0xfffe },
      ],
    ],
    ['output:NXM_NX_REG2[0..15]', [{ kind: 'output-register', source: { from: 0, bits: 16 } }]],
    ['CONTROLLER:65535', [{ kind: 'controller', options: '65535' }]],
    ['controller(max_len=128,userdata=00.01)', [{ kind: 'controller', options: 'max_len=128,userdata=00.01' }]],
    ['set_field:0x5->reg1', [{ kind: 'set-field', words: [register(1, 5)] }]],
    ['set_field:0x4/0xc->reg1', [{ kind: 'set-field', words: [register(1, 4, 12)] }]],
    ['set_field:4106->vlan_vid', [{ kind: 'set-field', words: [{ word: at.vlan, value: 0x100a, mask: 0x1fff }] }]],
    ['load:0x7->NXM_NX_REG1[4..7]', [{ kind: 'set-field', words: [register(1, 0x70, 0xf0)] }]],
    ['load:1->NXM_NX_XXREG0[127]', [{ kind: 'set-field', words: [register(0, 0x8000_0000, 0x8000_0000)] }]],
    [
      'mod_dl_dst:02:00:00:00:00:01',
      [
        {
          kind: 'set-field',
          words: [
            { word: at.ethDst, value: 0x200, mask: 0xffff },
            { word: at.ethDst + 1, value: 1, mask: 0xffff_ffff },
          ],
        },
      ],
    ],
    ['mod_nw_src:10.0.0.1', [{ kind: 'set-field', words: [{ word: at.ip4Src, value: 0x0a00_0001, mask: 0xffff_ffff }] }]],
    [
      'set_tunnel:0x4d',
      [
        {
          kind: 'set-field',
          words: [
            { word: at.tunId, value: 0, mask: 0xffff_ffff },
            { word: at.tunId + 1, value: 77, mask: 0xffff_ffff },
          ],
        },
      ],
    ],
    ['mod_vlan_vid:10', [{ kind: 'set-vlan', field: 'vid', value: 10, push: true }]],
    ['resubmit(,3)', [{ kind: 'resubmit', inPort: null, table: 3 }]],
    ['resubmit(7,3)', [{ kind: 'resubmit', inPort: 7, table: 3 }]],
    ['resubmit:7', [{ kind: 'resubmit', inPort: 7, table: null }]],
    ['resubmit(IN_PORT,)', [{ kind: 'resubmit', inPort: null, table: null }]],
    ['goto_table:9', [{ kind: 'goto-table', table: 9 }]],
    ['dec_ttl,strip_vlan,ct_clear', [{ kind: 'dec-ttl' }, { kind: 'pop-vlan' }, { kind: 'ct-clear' }]],
    ['push_vlan:0x8100,meter:1,note:00.01', [{ kind: 'push-vlan', tpid: 0x8100 }, { kind: 'meter', meter: 1 }, { kind: 'note' }]],
    ['ct(commit,table=4,zone=65535)', [{ kind: 'ct', commit: true, table: 4, zone: 65535, exec: [] }]],
    ['ct(zone=NXM_NX_REG1[0..15])', [{ kind: 'ct', commit: false, table: null, zone: { from: 0, bits: 16 } }]],
    [
      'ct(commit,exec(set_field:0x1->ct_mark,load:0x1->NXM_NX_CT_LABEL[0]))',
      [{ kind: 'ct', exec: [{ kind: 'set-field' }, { kind: 'set-field', words: [{ word: at.ctLabel + 3, value: 1, mask: 1 }] }] }],
    ],
    ['check_pkt_larger(1464)->NXM_NX_REG8[0]', [{ kind: 'check-packet-larger', bytes: 1464, target: { from: 0, bits: 1 } }]],
    [
      'clone(output:1,clone(output:2)),output:3',
      [
        { kind: 'clone', actions: [{ kind: 'output' }, { kind: 'clone' }] },
        { kind: 'output', port: 3 },
      ],
    ],
  ])('%s', (text, actions) => {
    expect(parseActions(text)).toMatchObject(actions)
  })

  it('move cuts itself where either side goes over into its next word', () => {
    const [action] = parseActions('move:NXM_OF_ETH_SRC[]->NXM_NX_XXREG0[8..55]')
    expect(action).toMatchObject({
      chunks: [
        { source: at.ethSrc + 1, sourceShift: 0, target: at.registers + 3, targetShift: 8, targetMask: 0xffff_ff00 },
        { source: at.ethSrc + 1, sourceShift: 24, target: at.registers + 2, targetShift: 0, targetMask: 0xff },
        { source: at.ethSrc, sourceShift: 0, target: at.registers + 2, targetShift: 8, targetMask: 0x00ff_ff00 },
      ],
    })
  })

  it.each([
    ['learn(table=1)', 'not-supported'],
    ['NORMAL', 'not-supported'],
    ['output:FLOOD', 'not-supported'],
    ['group:4294967041', 'bad-input'],
    ['fin_timeout(idle_timeout=1)', 'not-supported'],
    ['ct(nat)', 'not-supported'],
    ['ct(force,commit)', 'not-supported'],
    ['ct(commit,exec(set_field:1->reg0))', 'bad-input'],
    ['dec_ttl(1,2)', 'not-supported'],
    ['drop,output:1', 'not-supported'],
    ['set_field:1->reg99', 'not-supported'],
    ['set_field:1->ct_mark', 'bad-input'],
    ['set_field:6->nw_proto', 'bad-input'],
    ['set_field:1->sctp_src', 'bad-input'],
    ['set_field:reg0', 'bad-input'],
    ['move:NXM_NX_REG0[]->NXM_NX_XXREG0[]', 'bad-input'],
    ['load:0x10->NXM_NX_REG0[0..3]', 'bad-input'],
    ['output:NXM_NX_REG0[3..99]', 'bad-input'],
    ['check_pkt_larger(100)->NXM_NX_REG0[0..1]', 'bad-input'],
    ['clone(output:1', 'bad-input'],
    ['resubmit(,1,ct)', 'not-supported'],
    ['goto_table:255', 'bad-input'],
  ])('%s is refused', (text, code) => {
    expect(() => parseActions(text)).toThrow(expect.objectContaining({ code }))
  })
})
