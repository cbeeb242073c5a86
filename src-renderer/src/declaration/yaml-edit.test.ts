import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseDeclaration } from '../../../core/net/declaration/parse.ts'
import { isEditable, itemOf, lineOfItem, partOf, withItem, withoutItem } from './yaml-edit.ts'

const shop = `# The shop.
networks:
  - {name: web, vpc: shop, subnet: 10.20.1.0/24} # busy
  # The databases.
  - name: db
    vpc: shop
    subnet: 10.20.2.0/24

acls:
ports:
  - {name: web-1, network: web, ip: 10.20.1.11, host: h1, attach: {kind: netns}}
`

describe('edits', () => {
  test('an object comes behind the last of its kind, and nothing else changes', () => {
    expect(withItem(shop, 'port', { name: 'web-2', network: 'web', ip: '10.20.1.12', host: 'h2', attach: { kind: 'netns' } })).toBe(
      `${shop}  - {name: web-2, network: web, ip: 10.20.1.12, host: h2, attach: {kind: netns}}\n`,
    )
    const networks = withItem(shop, 'network', { name: 'cache', vpc: 'shop', subnet: '10.20.3.0/24' })!
    expect(networks).toContain('    subnet: 10.20.2.0/24\n  - {name: cache, vpc: shop, subnet: 10.20.3.0/24}\n\nacls:')
    expect(networks).toContain('# busy')
  })

  test('a list that is empty or missing is begun', () => {
    expect(withItem(shop, 'acl', { name: 'no-ssh' })).toContain('acls:\n  - {name: no-ssh}\nports:')
    expect(withItem(shop, 'router', { name: 'shop' })).toBe(`${shop}routers:\n  - {name: shop}\n`)
    expect(withItem('', 'vpc', { name: 'shop' })).toBe('vpcs:\n  - {name: shop}\n')
    expect(withItem('vpcs:', 'vpc', { name: 'shop' })).toBe('vpcs:\n  - {name: shop}\n')
    expect(withItem('vpcs: [] # none\n', 'vpc', { name: 'shop' })).toContain('{name: shop}')
  })

  test('an object by that name is replaced where it stands, however it was written', () => {
    expect(withItem(shop, 'network', { name: 'db', vpc: 'shop', subnet: '10.20.4.0/24' })).toContain(
      '# The databases.\n  - {name: db, vpc: shop, subnet: 10.20.4.0/24}\n\nacls:',
    )
    expect(parseDeclaration(withItem('vpcs: [{name: a}, {name: b}]\n', 'vpc', { name: 'b' })!).vpcs).toEqual([{ name: 'a' }, { name: 'b' }])
  })

  test('an object is taken out with its lines', () => {
    expect(withoutItem(shop, 'network', 'db')).toBe(shop.replace('  - name: db\n    vpc: shop\n    subnet: 10.20.2.0/24\n', ''))
    expect(withoutItem('vpcs: [{name: a}, {name: b}]\n', 'vpc', 'a')).toBe('vpcs: [{name: b}]\n')
    expect(withoutItem(shop, 'network', 'nobody')).toBeNull()
  })

  test('what is no YAML is left alone', () => {
    const broken = 'networks:\n  - {name: web\n'
    expect(isEditable(broken)).toBe(false)
    expect(withItem(broken, 'vpc', { name: 'shop' })).toBeNull()
    expect(withoutItem(broken, 'network', 'web')).toBeNull()
    expect(itemOf(broken, 'network', 'web')).toBeNull()
  })

  test('objects are found', () => {
    expect(lineOfItem(shop, 'network', 'db')).toBe(5)
    expect(lineOfItem(shop, 'acl', 'db')).toBeNull()
    expect(itemOf(shop, 'port', 'web-1')).toEqual({ name: 'web-1', network: 'web', ip: '10.20.1.11', host: 'h1', attach: { kind: 'netns' } })
    expect(partOf(shop, 'network', 'db')).toBe('networks:\n  - {name: db, vpc: shop, subnet: 10.20.2.0/24}\n')
  })

  test('whatever is put in is found as it was put in, and is gone when it is taken out', () => {
    const name = fc.stringMatching(/^v[a-z0-9]{0,8}$/)
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 6 }), fc.uniqueArray(name, { minLength: 1, maxLength: 6 }), (before, added) => {
        let text = before.length === 0 ? '' : `vpcs:\n${before.map((each) => `  - {name: ${each}}\n`).join('')}`
        for (const each of added) text = withItem(text, 'vpc', { name: each })!
        expect(parseDeclaration(text).vpcs.map((vpc) => vpc.name)).toEqual([...new Set([...before, ...added])])
        for (const each of added) text = withoutItem(text, 'vpc', each)!
        expect(parseDeclaration(text).vpcs.map((vpc) => vpc.name)).toEqual(before.filter((each) => !added.includes(each)))
      }),
    )
  })
})
