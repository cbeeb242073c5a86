import type { Messages } from './i18n/i18n.svelte.ts'
import { i18n, languages, type Language } from './i18n/i18n.svelte.ts'
import { draft, isEditedInForm } from './declaration/draft.svelte.ts'
import { isDeclaredKind } from './declaration/yaml-edit.ts'
import { app } from './state/app.svelte.ts'
import { navigation } from './state/navigation.svelte.ts'
import { overlays } from './state/overlays.svelte.ts'
import type { Screen } from './state/place.ts'
import { settings, themes } from './state/settings.svelte.ts'
import { traces } from './state/traces.svelte.ts'
import { virtual } from './state/virtual.svelte.ts'
import { layers } from './topology/layers.ts'

/** A verb of the window: in the palette, and by its keys where it has any. */
export interface Command {
  id: string
  title: (m: Messages) => string
  group: 'go' | 'actions'
  /** `mod+k`, `?`, or two keys one after the other: `g h`. */
  keys?: string
  run: () => void
}

/** The screens in the order of the rail. */
export const railScreens = ['overview', 'hosts', 'networks', 'topology', 'trace', 'reachability', 'capture', 'events', 'tasks', 'audit'] as const

const screenKeys: Record<(typeof railScreens)[number], string> = {
  overview: 'g o',
  hosts: 'g h',
  networks: 'g n',
  topology: 'g t',
  trace: 'g r',
  reachability: 'g m',
  capture: 'g c',
  events: 'g e',
  tasks: 'g k',
  audit: 'g a',
}

export const keysOf = (screen: Screen): string | undefined => screenKeys[screen as keyof typeof screenKeys]

/** The host that a verb without an object means: the selected one, or the one that the selected thing belongs to. */
export function currentHost(): string | undefined {
  const { selection, place } = navigation
  if (selection?.kind === 'host') return selection.id
  if (selection?.kind === 'port') return virtual.view.port.get(selection.id)?.host
  if (selection && ['nic', 'disk', 'module', 'path', 'link', 'forwarding'].includes(selection.kind)) return selection.id.split('/')[0]
  return place.screen === 'host' ? place.host : undefined
}

/** Everything that can be done now. */
export function commands(): Command[] {
  const host = currentHost()
  const hosts = app.status.hosts.map(({ name }) => name)
  const change = app.readOnly ? [] : [...changes(host), ...networkChanges()]
  const port = navigation.selection?.kind === 'port' ? navigation.selection.id : undefined
  return [
    ...railScreens.map((screen): Command => ({
      id: `go-${screen}`,
      title: (m) => m.screen[screen],
      group: 'go',
      keys: screenKeys[screen],
      run: () => navigation.show(screen),
    })),
    { id: 'palette', title: (m) => m.command.palette, group: 'actions', keys: 'mod+k', run: () => (overlays.palette = true) },
    { id: 'dock', title: (m) => m.command.dock, group: 'actions', keys: 'mod+j', run: () => overlays.toggleDock() },
    {
      id: 'inspector',
      title: (m) => m.command.inspector,
      group: 'actions',
      keys: 'mod+i',
      run: () => (settings.layout.inspectorOpen = !settings.layout.inspectorOpen),
    },
    { id: 'split', title: (m) => m.command.split, group: 'actions', keys: 'mod+\\', run: toggleBeside },
    { id: 'shortcuts', title: (m) => m.shortcuts.show, group: 'actions', keys: '?', run: () => (overlays.shortcuts = true) },
    ...(port
      ? [{ id: 'trace-from', title: (m: Messages) => m.verb.traceFrom(port), group: 'actions' as const, keys: 'x', run: () => traces.openFrom(port) }]
      : []),
    { id: 'trace', title: (m) => m.verb.trace, group: 'actions', run: () => navigation.show('trace') },
    ...change,
    ...layers.map((layer): Command => ({
      id: `layer-${layer}`,
      title: (m) => m.verb.layer(m.layer.name[layer]),
      group: 'actions',
      run: () => {
        settings.layout.topologyLayer = layer
        navigation.show('topology')
      },
    })),
    ...hosts
      .filter((name) => name !== host)
      .map((name): Command => ({
        id: `terminal-${name}`,
        title: (m) => m.command.terminal(name),
        group: 'actions',
        run: () => overlays.openTerminal(name),
      })),
    { id: 'back', title: (m) => m.command.back, group: 'go', keys: 'alt+←', run: () => history.back() },
    { id: 'forward', title: (m) => m.command.forward, group: 'go', keys: 'alt+→', run: () => history.forward() },
    ...app.contexts
      .filter(({ current }) => !current)
      .map(({ name }): Command => ({
        id: `context-${name}`,
        title: (m) => m.command.context(name),
        group: 'go',
        run: () => void app.useContext(name),
      })),
    ...themes.map((theme): Command => ({
      id: `theme-${theme}`,
      title: (m) => m.command.theme(m.settings.themes[theme]),
      group: 'actions',
      run: () => (settings.theme = theme),
    })),
    ...(Object.keys(languages) as Language[])
      .filter((language) => language !== i18n.language)
      .map((language): Command => ({
        id: `language-${language}`,
        title: (m) => m.command.language(languages[language]),
        group: 'actions',
        run: () => (settings.language = language),
      })),
  ]
}

/** What changes the cluster; nothing of it for a recording. */
function changes(host: string | undefined): Command[] {
  return [
    ...(host
      ? [
          {
            id: 'terminal',
            title: (m: Messages) => m.command.terminal(host),
            group: 'actions',
            keys: 't',
            run: () => overlays.openTerminal(host),
          } satisfies Command,
          {
            id: 'upgrade',
            title: (m: Messages) => m.command.upgrade(host),
            group: 'actions',
            run: () => (overlays.plan = { action: 'upgrade', host }),
          } satisfies Command,
          ...(app.inventory.get('forwarding', host)
            ? [
                {
                  id: 'failover',
                  title: (m: Messages) => m.command.failover(host),
                  group: 'actions',
                  run: () => (overlays.plan = { action: 'failover', host }),
                } satisfies Command,
              ]
            : []),
          {
            id: 'remove',
            title: (m: Messages) => m.command.remove(host),
            group: 'actions',
            run: () => (overlays.plan = { action: 'remove', host }),
          } satisfies Command,
        ]
      : []),
    { id: 'add-host', title: (m) => m.action.addHost, group: 'actions', keys: 'a', run: () => navigation.show('add-host') },
  ]
}

/** What changes the virtual network: each writes into the one declaration. */
function networkChanges(): Command[] {
  const selection = navigation.selection
  // A host is more than what is declared of it: its actions are its own.
  const selected = selection && isDeclaredKind(selection.kind) && selection.kind !== 'host' ? { kind: selection.kind, name: selection.id } : undefined
  return [
    ...(selected
      ? [
          ...(selected.kind === 'vpc'
            ? []
            : [
                {
                  id: 'edit-object',
                  title: (m: Messages) => m.verb.editNamed(m.trace.named(m.kind[selected.kind], selected.name)),
                  group: 'actions',
                  run: () => void draft.openObject(selected.kind, selected.name, isEditedInForm(selected.kind)),
                } satisfies Command,
              ]),
          {
            id: 'delete-object',
            title: (m: Messages) => m.verb.deleteNamed(m.trace.named(m.kind[selected.kind], selected.name)),
            group: 'actions',
            run: () => void draft.openWithout({ kind: selected.kind, id: selected.name }),
          } satisfies Command,
        ]
      : []),
    { id: 'edit-network', title: (m) => m.verb.editNetwork, group: 'actions', run: () => void draft.openAny() },
    { id: 'add-network', title: (m) => m.verb.addNetwork, group: 'actions', run: () => draft.add('network') },
    { id: 'add-port', title: (m) => m.verb.addPort, group: 'actions', run: () => draft.add('port') },
    { id: 'add-acl', title: (m) => m.verb.addRule, group: 'actions', run: () => draft.add('acl') },
    { id: 'add-vip', title: (m) => m.verb.addVip, group: 'actions', run: () => draft.add('vip') },
    { id: 'edit-host', title: (m) => m.verb.editHost, group: 'actions', run: () => draft.add('host') },
  ]
}

/** Opens a second screen beside the first, or closes it. */
export function toggleBeside(): void {
  const { screen, beside } = navigation.place
  navigation.setBeside(beside ? undefined : screen === 'topology' ? 'events' : 'topology')
}
