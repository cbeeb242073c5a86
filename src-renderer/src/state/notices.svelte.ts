import type { ErrorDoc } from '../../../core/errors.ts'

export interface Notice {
  number: number
  tone: 'error' | 'info'
  code?: string
  message: string
  hint: string
}

/** What just happened and is nowhere else on the screen. Errors stay until they are read. */
class Notices {
  list = $state.raw<Notice[]>([])
  #next = 1

  error({ code, message, hint }: ErrorDoc): void {
    this.#add({ tone: 'error', code, message, hint })
  }

  info(message: string): void {
    const number = this.#add({ tone: 'info', message, hint: '' })
    setTimeout(() => this.dismiss(number), 5000)
  }

  dismiss(number: number): void {
    this.list = this.list.filter((notice) => notice.number !== number)
  }

  #add(notice: Omit<Notice, 'number'>): number {
    const number = this.#next++
    this.list = [...this.list.filter(({ message }) => message !== notice.message), { ...notice, number }].slice(-4)
    return number
  }
}

export const notices = new Notices()
