import { homeOf, parsePlace, placeAddress, sameRef, type Place, type ReachQuery, type Ref, type Screen, type TraceQuery } from './place.ts'

/** The window's place and its one selection, both kept in the address, so that back and forward work for both. */
class Navigation {
  place = $state.raw<Place>(parsePlace(''))

  /** What is selected; on a host's own page the host itself, until something on it is. */
  selection = $derived<Ref | undefined>(
    this.place.select ?? (this.place.screen === 'host' && this.place.host ? { kind: 'host', id: this.place.host } : undefined),
  )

  /** Begins to follow the address bar. */
  start(): void {
    const read = (): void => {
      this.place = parsePlace(location.hash.slice(1))
    }
    addEventListener('hashchange', read)
    addEventListener('popstate', read)
    read()
  }

  go(place: Place, how: 'push' | 'replace' = 'push'): void {
    const address = `#${placeAddress(place)}`
    if (address === location.hash) return
    if (how === 'push') history.pushState(null, '', address)
    else history.replaceState(null, '', address)
    this.place = place
  }

  /** Another screen; the selection and the second screen stay. */
  show(screen: Exclude<Screen, 'host'>): void {
    const { context, select, beside } = this.place
    this.go({ context, screen, ...(select && { select }), ...(beside && beside !== screen && { beside }) })
  }

  select(ref: Ref | undefined): void {
    if (sameRef(ref, this.place.select)) return
    const { select: _old, ...rest } = this.place
    this.go({ ...rest, ...(ref && { select: ref }) })
  }

  /** To the screen where the object is at home. */
  open(ref: Ref): void {
    const { context, beside } = this.place
    this.go({ ...homeOf(context, ref), ...(beside && { beside }) })
  }

  setBeside(screen: Screen | undefined): void {
    const { beside: _old, ...rest } = this.place
    this.go({ ...rest, ...(screen && { beside: screen }) })
  }

  /** The trace of a packet, on the screen where traces are at home. */
  trace(query: TraceQuery, how: 'push' | 'replace' = 'push'): void {
    const { context, screen, select, beside } = this.place
    const stays = screen === 'trace' || beside === 'trace'
    const rest = stays ? { screen, ...(select && select.kind !== 'hop' && { select }) } : { screen: 'trace' as const, ...(select && { select }) }
    this.go({ context, ...rest, ...(beside && { beside }), trace: query }, how)
  }

  /** Who reaches whom, of another VPC or by another packet; what was selected of the one before is not. */
  reach(query: ReachQuery): void {
    const { context, screen, select, beside } = this.place
    const stays = screen === 'reachability' || beside === 'reachability'
    const rest = { screen: stays ? screen : ('reachability' as const), ...(select && select.kind !== 'pair' && { select }) }
    this.go({ context, ...rest, ...(beside && { beside }), reach: query })
  }

  isSelected(ref: Ref): boolean {
    return sameRef(ref, this.selection)
  }
}

export const navigation = new Navigation()
