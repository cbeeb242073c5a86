import type { Layer } from '../topology/layers.ts'

export const themes = ['system', 'dark', 'light', 'contrast'] as const
export type Theme = (typeof themes)[number]

/** Sizes and openness of the frame's parts, kept so that the window opens as it was left. Pixels. */
interface Layout {
  dockOpen: boolean
  dockHeightPx: number
  inspectorOpen: boolean
  besideShare: number
  /** How much of the trace's screen its list takes. */
  traceShare: number
  topologyLayer: Layer
}

const storageKey = 'holdfast.settings'
const initial = {
  theme: 'system' as Theme,
  language: null as string | null,
  layout: { dockOpen: false, dockHeightPx: 240, inspectorOpen: true, besideShare: 0.5, traceShare: 0.44, topologyLayer: 'both' } as Layout,
}

/** How this window looks, remembered by the browser engine alone: nothing of a cluster is in it. */
class Settings {
  theme = $state<Theme>(initial.theme)
  /** A language chosen by hand; null follows the system. */
  language = $state<string | null>(initial.language)
  layout = $state<Layout>({ ...initial.layout })
  #prefersLight = $state(matchMedia('(prefers-color-scheme: light)').matches)
  #prefersContrast = $state(matchMedia('(prefers-contrast: more)').matches)

  /** The theme that is shown. */
  shown = $derived(this.theme !== 'system' ? this.theme : this.#prefersContrast ? 'contrast' : this.#prefersLight ? 'light' : 'dark')

  constructor() {
    try {
      const saved = JSON.parse(localStorage.getItem(storageKey) ?? '{}') as Partial<typeof initial>
      if (saved.theme && themes.includes(saved.theme)) this.theme = saved.theme
      if (typeof saved.language === 'string') this.language = saved.language
      if (saved.layout) this.layout = { ...initial.layout, ...saved.layout }
    } catch {
      // What was saved is not ours or not readable: the defaults are as good.
    }
    matchMedia('(prefers-color-scheme: light)').addEventListener('change', (event) => (this.#prefersLight = event.matches))
    matchMedia('(prefers-contrast: more)').addEventListener('change', (event) => (this.#prefersContrast = event.matches))
  }

  /** Keeps what is set, and shows it. Runs as the first effect of the window's root. */
  keep(): void {
    document.documentElement.dataset.theme = this.shown
    localStorage.setItem(storageKey, JSON.stringify({ theme: this.theme, language: this.language, layout: this.layout }))
  }
}

export const settings = new Settings()
