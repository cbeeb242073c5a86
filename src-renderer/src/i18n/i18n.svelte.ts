import { settings } from '../state/settings.svelte.ts'
import { en } from './en.ts'
import { zh } from './zh.ts'

/** What every language must have: the same tree as English, with the same parameters. */
export type Messages = Widened<typeof en>
type Widened<T> = T extends (...parameters: infer P) => string
  ? (...parameters: P) => string
  : T extends string
    ? string
    : { [K in keyof T]: Widened<T[K]> }

export const languages = { en: 'English', zh: '简体中文' } as const
export type Language = keyof typeof languages

const catalogues: Record<Language, Messages> = { en, zh }

class I18n {
  language: Language = $derived.by(() => {
    const wanted = settings.language ?? navigator.language
    return wanted.toLowerCase().startsWith('zh') ? 'zh' : 'en'
  })
  /** The catalogue of the language that is shown. */
  m: Messages = $derived(catalogues[this.language])
  /** For `Intl`. English keeps the 24-hour clock: times are compared, not told. */
  locale = $derived(this.language === 'zh' ? 'zh-CN' : 'en-GB')
}

export const i18n = new I18n()
