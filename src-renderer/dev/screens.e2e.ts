/**
 * Screenshots of every screen from the fixture, in every theme, language and size asked for, each checked by axe.
 * `node src-renderer/dev/screens.e2e.ts --out DIR [--only NAME] [--theme dark] [--language en] [--size 1440x900] [--screens BUILD] [--no-axe]`; exits 1 on a violation.
 */
import { AxeBuilder } from '@axe-core/playwright'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { chromium, type Page } from 'playwright-core'
import { startFixture } from './fixture-server.ts'

const { values } = parseArgs({
  options: {
    'out': { type: 'string' },
    'only': { type: 'string' },
    'theme': { type: 'string', default: 'dark,light' },
    'language': { type: 'string', default: 'en' },
    'size': { type: 'string', default: '1440x900' },
    'screens': { type: 'string' },
    'no-axe': { type: 'boolean', default: false },
  },
})

interface Shot {
  name: string
  fixture?: Parameters<typeof startFixture>[0]
  at: string
  then?: (page: Page) => Promise<void>
}

const degraded = { cut: ['h2/storage'], off: ['h1'] }

async function addHost(page: Page, address: string, upTo: 'key' | 'login' | 'planes' | 'install', password = 'secret'): Promise<void> {
  await page.getByRole('textbox').first().fill(address)
  await page.locator('button[type=submit]').click()
  await page.getByTestId('fingerprint').waitFor()
  if (upTo === 'key') return
  await page.locator('button[type=submit]').click()
  await page.getByRole('radio').nth(1).click()
  await page.locator('input[type=password]').fill(password)
  if (upTo === 'login') return
  await page.locator('button[type=submit]').click()
  await page.getByRole('textbox').first().fill('h4')
  if (upTo === 'planes') return
  await page.locator('button[type=submit]').click()
  await page.waitForTimeout(2600)
}

const shots: Shot[] = [
  { name: 'overview', at: '/lab' },
  {
    name: 'overview-faults',
    at: '/lab?select=host/h2',
    fixture: degraded,
    then: async (page) => void (await page.locator('tr[data-host=h2] [aria-expanded]').click()),
  },
  { name: 'overview-offline', at: '/lab?select=host/h3', fixture: { offline: true, offlineForMs: 252_000 } },
  { name: 'overview-large', at: '/lab', fixture: { hosts: 24, cut: ['h7/storage'] } },
  { name: 'loading', at: '/lab', fixture: { slowMs: 60_000 } },
  { name: 'empty', at: '/lab', fixture: { empty: true, noContext: true } },
  { name: 'hosts', at: '/lab/hosts?select=host/h2', fixture: degraded },
  { name: 'hosts-large', at: '/lab/hosts', fixture: { hosts: 50 } },
  { name: 'host', at: '/lab/host/h2', fixture: { cut: ['h2/storage'] } },
  {
    name: 'host-lower',
    at: '/lab/host/h2?select=nic/h2/storage',
    fixture: { cut: ['h2/storage'] },
    then: async (page) => void (await page.getByRole('table').nth(1).scrollIntoViewIfNeeded()),
  },
  { name: 'host-missing', at: '/lab/host/h9' },
  { name: 'topology', at: '/lab/topology' },
  { name: 'topology-faults', at: '/lab/topology?select=host/h2', fixture: degraded },
  { name: 'topology-link', at: '/lab/link/h2/storage--tor2/swp2', fixture: { cut: ['h2/storage'] } },
  { name: 'topology-large', at: '/lab/topology', fixture: { hosts: 18 } },
  { name: 'networks', at: '/lab/port/db-1' },
  { name: 'networks-network', at: '/lab/network/web', fixture: { off: ['h3'], lag: 'h2' } },
  { name: 'networks-filter', at: '/lab/acl/no-ssh', then: async (page) => void (await page.getByRole('searchbox').fill('10.20.2')) },
  { name: 'networks-offline', at: '/lab/router/shop', fixture: { offline: true, offlineForMs: 900_000 } },
  { name: 'networks-empty', at: '/lab/networks', fixture: { ports: 0 } },
  { name: 'networks-large', at: '/lab/network/farm-3', fixture: { hosts: 50, ports: 2000 } },
  { name: 'networks-recording', at: '/lab/vpc/shop', fixture: { recording: true, offline: true, offlineForMs: 86_400_000 * 3 } },
  { name: 'forwarding', at: '/lab/host/h2?select=forwarding/h2', fixture: { switchDown: 'h2' } },
  { name: 'plan-editor', at: '/lab/networks', then: editNetwork },
  { name: 'plan-problems', at: '/lab/networks', then: breakNetwork },
  { name: 'plan-applied', at: '/lab/networks', fixture: { lag: 'h3' }, then: applyNetwork },
  {
    name: 'plan-delete',
    at: '/lab/network/cache',
    then: async (page) => (await page.getByRole('button', { name: /Delete…|删除…/ }).click(), await page.waitForTimeout(900)),
  },
  { name: 'plan-offline', at: '/lab/networks', fixture: { offline: true, offlineForMs: 900_000 }, then: editNetwork },
  { name: 'plan-recording', at: '/lab/networks', fixture: { recording: true, offline: true, offlineForMs: 900_000 }, then: editNetwork },
  { name: 'plan-none', at: '/lab/plan' },
  {
    name: 'plan-form-acl',
    at: '/lab/acl/no-ssh',
    then: async (page) => (await page.getByRole('button', { name: /Edit rule…|编辑规则…/ }).click(), await page.waitForTimeout(900)),
  },
  { name: 'plan-form-port', at: '/lab/network/db', then: (page) => openForm(page, 1) },
  { name: 'plan-form-network', at: '/lab/network/db', then: (page) => openForm(page, 0) },
  { name: 'trace-start', at: '/lab/trace' },
  { name: 'trace-none', at: '/lab/trace', fixture: { ports: 0 } },
  { name: 'trace-delivered', at: '/lab/trace?from=web-1&to=db-2&proto=tcp&dport=5432&mode=simulated' },
  { name: 'trace-dropped', at: '/lab/trace?from=web-1&to=db-3&proto=tcp&dport=22', then: runTrace },
  {
    name: 'trace-hop',
    at: '/lab/trace?from=web-1&to=db-2&proto=tcp&dport=5432&mode=simulated',
    then: async (page) => void (await page.locator('[data-hop=simulated-2]').click()),
  },
  { name: 'trace-parted', at: '/lab/trace?from=web-1&to=db-2&proto=tcp&dport=5432', fixture: { flowGone: 'h2' }, then: runTrace },
  { name: 'trace-unknown', at: '/lab/trace?from=web-1&to=db-2&proto=icmp&mode=live', fixture: { blind: 'h2' }, then: runTrace },
  { name: 'trace-running', at: '/lab/trace?from=web-1&to=db-2', fixture: { traceMs: 60_000 }, then: runTrace },
  { name: 'trace-offline', at: '/lab/trace?from=web-1&to=10.99.1.1&mode=simulated', fixture: { offline: true, offlineForMs: 900_000 } },
  { name: 'trace-problems', at: '/lab/trace?from=web-99&to=nowhere&proto=tcp&dport=99999&ttl=999&sourceMac=zz', then: runTrace },
  { name: 'trace-error', at: '/lab/trace?from=cache-1&to=fd00:20:1::11&mode=simulated' },
  { name: 'trace-virtual', at: '/lab/trace?from=web-1&to=db-3&proto=tcp&dport=22&mode=simulated', then: (page) => layer(page, 2) },
  { name: 'trace-physical', at: '/lab/trace?from=web-1&to=db-2&proto=icmp&mode=simulated', then: (page) => layer(page, 1) },
  { name: 'trace-copies', at: '/lab/trace?from=web-1&to=224.0.0.18&proto=112&mode=simulated', fixture: { hosts: 4, off: ['h3'] } },
  {
    name: 'trace-copies-lower',
    at: '/lab/trace?from=web-1&to=224.0.0.18&proto=112&mode=simulated',
    fixture: { hosts: 4, off: ['h3'] },
    then: async (page) => void (await page.getByTestId('copies').scrollIntoViewIfNeeded()),
  },
  { name: 'trace-copies-both', at: '/lab/trace?from=web-1&to=224.0.0.18&proto=112', fixture: { hosts: 4 }, then: runTrace },
  { name: 'trace-vip', at: '/lab/trace?from=db-3&to=db-vip&proto=arp&mode=simulated', fixture: { hosts: 4 }, then: runTrace },
  {
    name: 'topology-copies',
    at: '/lab/trace?from=web-1&to=224.0.0.18&proto=112&mode=simulated',
    fixture: { hosts: 4, off: ['h3'] },
    then: async (page) => (await page.evaluate(() => (location.hash = '#/lab/topology')), await page.waitForTimeout(900)),
  },
  { name: 'reachability', at: '/lab/reachability?vpc=shop&probe=tcp/22&select=pair/web-1/db-1' },
  { name: 'reachability-icmp', at: '/lab/reachability?vpc=staging', fixture: { off: ['h3'] } },
  { name: 'reachability-plan', at: '/lab/networks', then: planReach },
  { name: 'reachability-large', at: '/lab/reachability?vpc=shop&probe=tcp/5432', fixture: { hosts: 50, ports: 2000, off: ['h7', 'h9', 'h12'] } },
  { name: 'reachability-none', at: '/lab/reachability', fixture: { ports: 0 } },
  { name: 'failover', at: '/lab/host/h2?select=forwarding/h2', then: (page) => failOver(page, false) },
  { name: 'failover-done', at: '/lab/host/h2?select=forwarding/h2', then: (page) => failOver(page, true) },
  { name: 'topology-virtual', at: '/lab/topology?select=network/db', then: (page) => layer(page, 2) },
  { name: 'topology-physical', at: '/lab/topology', then: (page) => layer(page, 1) },
  {
    name: 'topology-trace',
    at: '/lab/trace?from=web-1&to=db-3&proto=tcp&dport=22&mode=simulated',
    then: async (page) => (await page.evaluate(() => (location.hash = '#/lab/topology?select=hop/simulated-8')), await page.waitForTimeout(900)),
  },
  { name: 'topology-port', at: '/lab/topology?select=port/db-1' },
  {
    name: 'topology-expanded',
    at: '/lab/topology',
    fixture: { off: ['h3'], lag: 'h2' },
    then: async (page) => (await page.getByRole('button', { name: /^(Expand all|全部展开)$/ }).click(), await page.waitForTimeout(500)),
  },
  { name: 'topology-large-virtual', at: '/lab/topology', fixture: { hosts: 50, ports: 2000 }, then: (page) => layer(page, 2) },
  { name: 'topology-large-both', at: '/lab/topology', fixture: { hosts: 50, ports: 2000 } },
  { name: 'broadcast', at: '/lab/network/web', fixture: { hosts: 4 } },
  { name: 'broadcast-lower', at: '/lab/network/web', fixture: { hosts: 4 }, then: toWatchers },
  { name: 'broadcast-node-down-lower', at: '/lab/network/db', fixture: { hosts: 12, off: ['h1'] }, then: toWatchers },
  { name: 'broadcast-storm', at: '/lab/network/cache' },
  { name: 'broadcast-source', at: '/lab/network/backup' },
  { name: 'broadcast-node-down', at: '/lab/network/db', fixture: { off: ['h1'] } },
  { name: 'broadcast-offline', at: '/lab/network/web', fixture: { offline: true, offlineForMs: 900_000 } },
  { name: 'broadcast-recording', at: '/lab/network/web', fixture: { recording: true, offline: true, offlineForMs: 900_000 } },
  {
    name: 'broadcast-switch',
    at: '/lab/network/web',
    then: async (page) => (await page.getByRole('radio', { name: 'source' }).click(), await page.waitForTimeout(1200)),
  },
  { name: 'vip', at: '/lab/vip/web-vip' },
  { name: 'vip-fought-for', at: '/lab/vip/cache-vip' },
  { name: 'vip-by-platform', at: '/lab/vip/db-vip' },
  { name: 'vip-lower', at: '/lab/vip/web-vip', then: async (page) => void (await page.getByTestId('vip-refused').scrollIntoViewIfNeeded()) },
  { name: 'vip-topology', at: '/lab/topology?select=vip/web-vip' },
  { name: 'vip-topology-virtual', at: '/lab/topology?select=vip/web-vip', then: (page) => layer(page, 2) },
  { name: 'vip-topology-moved', at: '/lab/topology?select=vip/cache-vip', then: async (page) => page.waitForTimeout(4500) },
  { name: 'host-without-agent', at: '/lab/networkHost/legacy-1' },
  { name: 'plan-form-vip', at: '/lab/vip/db-vip', then: (page) => editInForm(page) },
  { name: 'plan-form-vip-new', at: '/lab/network/web', then: (page) => openForm(page, 3) },
  { name: 'plan-form-host', at: '/lab/networkHost/legacy-1', then: (page) => editInForm(page) },
  {
    name: 'plan-form-roles',
    at: '/lab/topology?select=host/h2',
    then: async (page) => (await page.getByRole('button', { name: /Edit roles…|编辑角色…/ }).click(), await page.waitForTimeout(900)),
  },
  { name: 'split', at: '/lab?beside=topology', fixture: { cut: ['h2/storage'] } },
  { name: 'events', at: '/lab/events', fixture: degraded, then: async (page) => void (await page.getByRole('row').nth(2).click()) },
  { name: 'tasks-empty', at: '/lab/tasks' },
  { name: 'tasks', at: '/lab/tasks', then: runTasks },
  { name: 'audit', at: '/lab/audit?select=audit/6' },
  { name: 'palette', at: '/lab', then: async (page) => void (await page.keyboard.press('Control+k')) },
  {
    name: 'palette-search',
    at: '/lab/topology',
    fixture: { offline: true, offlineForMs: 3_900_000 },
    then: async (page) => {
      await page.keyboard.press('Control+k')
      await page.keyboard.type('h3')
      await page.waitForTimeout(300)
    },
  },
  { name: 'shortcuts', at: '/lab', then: async (page) => void (await page.keyboard.press('?')) },
  { name: 'settings', at: '/lab', then: async (page) => void (await page.locator('header button').last().click()) },
  { name: 'age', at: '/lab', fixture: degraded, then: async (page) => void (await page.getByTestId('data-age').click()) },
  { name: 'terminal', at: '/lab/topology', fixture: { cut: ['h2/storage'] }, then: openTerminal },
  {
    name: 'terminal-failed',
    at: '/lab/host/h1',
    fixture: degraded,
    then: async (page) => (await page.keyboard.press('t'), void (await page.getByRole('alert').waitFor())),
  },
  { name: 'dock-events', at: '/lab', then: async (page) => void (await page.getByRole('tab').last().click()) },
  { name: 'plan-remove', at: '/lab/host/h1', then: async (page) => void (await page.locator('main header button').nth(2).click()) },
  {
    name: 'plan-refused',
    at: '/lab/host/h2',
    fixture: { off: ['h1'] },
    then: async (page) => void (await page.locator('main header button').nth(2).click()),
  },
  { name: 'plan-upgrade', at: '/lab/host/h2', then: async (page) => void (await page.locator('main header button').nth(1).click()) },
  { name: 'add-host', at: '/lab/add-host' },
  { name: 'add-host-key', at: '/lab/add-host', then: (page) => addHost(page, '10.77.1.14', 'key') },
  { name: 'add-host-changed', at: '/lab/add-host', then: (page) => addHost(page, '10.77.1.66', 'key') },
  { name: 'add-host-login', at: '/lab/add-host', then: (page) => addHost(page, '10.77.1.14', 'login') },
  { name: 'add-host-planes', at: '/lab/add-host', then: (page) => addHost(page, '10.77.1.14', 'planes') },
  { name: 'add-host-first', at: '/-/add-host', fixture: { empty: true, noContext: true }, then: (page) => addHost(page, '10.77.1.14', 'planes') },
  { name: 'add-host-install', at: '/lab/add-host', then: (page) => addHost(page, '10.77.1.14', 'install') },
  {
    name: 'add-host-failed',
    at: '/lab/add-host',
    then: async (page) => (await addHost(page, '10.77.1.14', 'install', 'wrong'), await page.waitForTimeout(2500)),
  },
  {
    name: 'add-host-unreachable',
    at: '/lab/add-host',
    then: async (page) => {
      await page.getByRole('textbox').first().fill('10.77.1.99')
      await page.locator('button[type=submit]').click()
      await page.getByRole('alert').waitFor()
    },
  },
  { name: 'capture-empty', at: '/lab/capture' },
  { name: 'capture', at: '/lab/capture', then: (page) => startCapture(page, 'icmp or arp') },
  {
    name: 'capture-ended',
    at: '/lab/capture',
    fixture: { losesPackets: 3 },
    then: async (page) => {
      await startCapture(page, '', 'nic:h3/storage')
      await page.locator('form button', { hasText: /^(Stop|停止)$/ }).click()
      await page.getByText(/ended: |已结束：/).waitFor()
      await page.getByRole('grid').getByRole('row').nth(4).click()
    },
  },
  { name: 'capture-refused', at: '/lab/capture', then: (page) => startCapture(page, 'icmpp and') },
  { name: 'vault', at: '/lab', fixture: { vault: 'locked', offline: true, offlineForMs: 600_000 } },
  {
    name: 'vault-wrong',
    at: '/lab',
    fixture: { vault: 'locked' },
    then: async (page) => {
      await page.locator('input[type=password]').fill('wrong')
      await page.keyboard.press('Enter')
    },
  },
  { name: 'recording', at: '/lab', fixture: { recording: true, offline: true, offlineForMs: 86_400_000 * 3 } },
]

const editorOf = (page: Page) => page.locator('main textarea')

/** Loads the whole declaration and adds a network, changes a rule. */
async function editNetwork(page: Page): Promise<void> {
  await page.locator('main button', { hasText: /declaration|声明/ }).click()
  await editorOf(page).waitFor()
  const text = await editorOf(page).inputValue()
  const edited = text
    .replace('routers:', '  - {name: queue, vpc: shop, subnet: 10.20.4.0/24, gateway: 10.20.4.1}\nrouters:')
    .replace('match: {proto: tcp, dport: 22}', 'match: {proto: tcp, dport: [22, 23]}')
    .replace(/(name: cache-2, .*)host: h\d/, '$1host: h1')
  await editorOf(page).fill(edited)
  await page.waitForTimeout(1200)
}

/** Takes the way of a trace and a place more; a filter that is none is refused at once. */
async function startCapture(page: Page, filter: string, more = 'tunnel:h1/web'): Promise<void> {
  const place = page.getByRole('combobox')
  for (const text of ['port:web-1', 'bridge:h1', 'nic:h1/tenant', more]) {
    await place.fill(text)
    await place.press('ArrowDown')
    await place.press('Enter')
  }
  await page.getByRole('textbox', { name: /^(Filter|过滤条件)/ }).fill(filter)
  await page.waitForTimeout(900)
  await page.locator('main form button[type=submit]').click()
  await page.waitForTimeout(2500)
}

async function breakNetwork(page: Page): Promise<void> {
  await editNetwork(page)
  const text = await editorOf(page).inputValue()
  await editorOf(page).fill(
    text
      .replace('10.20.4.1}', '10.20.9.1}')
      .replace('ip: 10.20.1.11', 'ip: 10.20.1.12')
      .replace('network: db, direction: in', 'network: dbb, direction: in'),
  )
  await page.waitForTimeout(1200)
}

async function applyNetwork(page: Page): Promise<void> {
  await editNetwork(page)
  await page.locator('main button.bg-fill, main button.bg-danger-fill').last().click()
  await page.waitForTimeout(5200)
}

/** The rule that closes the database is widened; the matrix shows what that changes. */
async function planReach(page: Page): Promise<void> {
  await editNetwork(page)
  await page
    .getByRole('button', { name: /^(Show the matrix|查看互通矩阵)/ })
    .first()
    .click()
  await page.waitForTimeout(1500)
}

async function failOver(page: Page, done: boolean): Promise<void> {
  await page
    .getByRole('button', { name: /Fail over virtual switch…|切换虚拟交换机…/ })
    .first()
    .click()
  const dialog = page.getByRole('dialog')
  await dialog.waitFor()
  if (!done) return
  await dialog.getByRole('button').last().click()
  await page.waitForTimeout(900)
}

async function openForm(page: Page, nth: number): Promise<void> {
  await page.getByRole('button', { name: /^(Edit…|编辑…)$/ }).click()
  await editorOf(page).waitFor()
  await page.getByRole('button', { name: /^(Add|添加)$/ }).click()
  await page.getByRole('menuitem').nth(nth).click()
  await page.getByRole('dialog').waitFor()
}

/** The form of the selected object, over the plan that it is written into. */
async function editInForm(page: Page): Promise<void> {
  await page.getByRole('button', { name: /^(Edit…|编辑…)$/ }).click()
  await page.getByRole('dialog').waitFor()
  await page.waitForTimeout(700)
}

async function toWatchers(page: Page): Promise<void> {
  await page.getByTestId('broadcast-watchers').scrollIntoViewIfNeeded()
}

async function runTrace(page: Page): Promise<void> {
  await page.locator('main form button[type=submit]').click()
  await page.waitForTimeout(1200)
}

/** Both, physical, virtual. */
async function layer(page: Page, nth: number): Promise<void> {
  await page
    .getByRole('radiogroup', { name: /What is shown|显示内容/ })
    .getByRole('radio')
    .nth(nth)
    .click()
  await page.waitForTimeout(600)
}

async function runTasks(page: Page): Promise<void> {
  await page.evaluate(() => (location.hash = '#/lab/host/h3'))
  await page.locator('main header button').nth(1).click()
  await page.getByRole('dialog').getByRole('button').last().click()
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
  await page.evaluate(() => (location.hash = '#/lab/tasks'))
  await page.waitForTimeout(1200)
}

async function openTerminal(page: Page): Promise<void> {
  await page.evaluate(() => (location.hash = '#/lab/topology?select=host/h2'))
  await page.waitForTimeout(300)
  await page.keyboard.press('t')
  await page.locator('.xterm-screen').waitFor()
  await page.waitForTimeout(600)
  await page.keyboard.type('hostname\r', { delay: 20 })
  await page.keyboard.type('ip -br address\r', { delay: 20 })
  await page.waitForTimeout(500)
}

const out = path.resolve(values.out ?? (await mkdtemp(path.join(tmpdir(), 'holdfast-screens-'))))
await mkdir(out, { recursive: true })
const profile = await mkdtemp(path.join(tmpdir(), 'holdfast-chromium-'))
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
})
let problems = 0
try {
  for (const shot of shots.filter(({ name }) => !values.only || values.only.split(',').includes(name))) {
    for (const theme of values.theme.split(',')) {
      for (const language of values.language.split(',')) {
        for (const size of values.size.split(',')) problems += await take(shot, theme, language, size)
      }
    }
  }
} finally {
  await browser.close()
  await rm(profile, { recursive: true, force: true })
}
console.log(out)
process.exitCode = problems > 0 ? 1 : 0

/** One screenshot; answers how many things were wrong with the page. */
async function take(shot: Shot, theme: string, language: string, size: string): Promise<number> {
  const [width, height] = size.split('x').map(Number) as [number, number]
  const fixture = await startFixture({ ...shot.fixture, ...(values.screens && { screensDir: values.screens }) })
  const page = await browser.newPage()
  const said: string[] = []
  try {
    await page.setViewportSize({ width, height })
    page.on('console', (message) => message.type() === 'error' && said.push(message.text()))
    page.on('pageerror', (error) => said.push(String(error)))
    await page.addInitScript(
      (settings) => localStorage.getItem('holdfast.settings') ?? localStorage.setItem('holdfast.settings', settings),
      JSON.stringify({ theme, language }),
    )
    await page.goto(`${fixture.url}#${shot.at}`)
    await page.waitForTimeout(1800)
    await shot.then?.(page)
    await page.waitForTimeout(400)
    await page.screenshot({ path: path.join(out, `${shot.name}.${theme}.${language}.${size}.png`) })
    const { violations } = values['no-axe'] ? { violations: [] } : await new AxeBuilder({ page }).exclude('.xterm').analyze()
    for (const { id, help, nodes } of violations)
      said.push(
        `axe ${id}: ${help}: ${nodes
          .map((node) => node.html.slice(0, 160))
          .slice(0, 3)
          .join(' | ')}`,
      )
  } catch (thrown) {
    said.push(String(thrown))
  } finally {
    await page.close()
    await fixture.close()
  }
  console.log(`${said.length === 0 ? 'ok  ' : 'FAIL'} ${shot.name} ${theme} ${language} ${size}`)
  for (const line of said) console.log(`     ${line}`)
  return said.length
}
