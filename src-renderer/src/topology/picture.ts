import cytoscape, { type Core, type ElementDefinition, type NodeSingular, type StylesheetJson } from 'cytoscape'
import { refText, parseRef, type Ref } from '../state/place.ts'

export interface PictureEvents {
  onselect: (ref: Ref | undefined) => void
  onopen: (ref: Ref) => void
  /** A host or switch was put somewhere by hand. */
  onmoved: (id: string, at: { x: number; y: number }) => void
  /** What is in a host or network is to be shown, or hidden again. */
  ontoggle: (id: string) => void
  /** The picture was panned or zoomed. */
  onview: (view: View) => void
}

/** How places on the picture become pixels of its container: times `zoom`, plus `x` and `y`. */
export interface View {
  zoom: number
  x: number
  y: number
}

/** Kinds of nodes that can be chosen; everything else on the picture stands for the object that it belongs to. */
const kinds = new Set(['host', 'switch', 'nic', 'link', 'port', 'network', 'router', 'peering', 'vpc', 'vip', 'networkHost'])

/** Sizes of names by how far away the picture is: below each zoom, names are written larger. */
const farBelow = [
  { name: 'far-1', zoom: 0.62 },
  { name: 'far-2', zoom: 0.45 },
  { name: 'far-3', zoom: 0.32 },
]

/** So long after the last zoom names are written in another size, in ms: not while it is zoomed, which would take frames. */
const settleMs = 200

/** How long a VIP takes to slide to its new owner, in ms. */
const slideMs = 150

/** Classes that are not the elements' own: what is selected, what belongs to it, what a trace passes, how far away it is. */
const marks = ['chosen', 'linked', 'traced', ...farBelow.map(({ name }) => name)]

/** The canvas. It is told what to show and reports what was chosen; it decides nothing. */
export class Picture {
  #cy: Core
  #fitted = false
  /** What is shown, so that what is the same is not touched again. */
  #shown = new Map<string, string>()
  #stopMoves: () => void
  /** Whether nothing is to move by itself. */
  #still = window.matchMedia('(prefers-reduced-motion: reduce)')
  #far = ''
  #settling: ReturnType<typeof setTimeout> | undefined

  constructor(container: HTMLElement, style: StylesheetJson, events: PictureEvents) {
    this.#cy = cytoscape({
      container,
      style,
      layout: { name: 'preset' },
      minZoom: 0.15,
      maxZoom: 2.5,
      boxSelectionEnabled: false,
      autounselectify: true,
      // While it is zoomed or panned a picture of the picture moves: drawing 2,000 nodes anew takes longer than a frame.
      textureOnViewport: true,
      pixelRatio: Math.min(2, window.devicePixelRatio),
    })
    const refOf = (element: { id(): string; data(name: string): string }): Ref | undefined => {
      const own = parseRef(element.id())
      return own && kinds.has(own.kind) ? own : parseRef(element.data('group'))
    }
    this.#cy.on('tap', (event) => {
      if (event.target === this.#cy) return events.onselect(undefined)
      const toggle: unknown = event.target.data('toggle')
      if (typeof toggle === 'string') events.ontoggle(toggle)
      else events.onselect(refOf(event.target))
    })
    this.#cy.on('viewport', () => {
      clearTimeout(this.#settling)
      this.#settling = setTimeout(() => this.#writeNames(), settleMs)
      events.onview(this.view())
    })
    this.#cy.on('dbltap', 'node', (event) => {
      const ref = refOf(event.target)
      if (ref) events.onopen(ref)
    })
    this.#cy.on('grab', 'node', (event) => this.#carry(event.target as NodeSingular))
    this.#stopMoves = withoutHover(container)
    this.#cy.on('dragfree', 'node', (event) => events.onmoved((event.target as NodeSingular).id(), { ...(event.target as NodeSingular).position() }))
  }

  /** Shows these elements: what is there already keeps its place unless the layout says another. */
  show(elements: ElementDefinition[]): void {
    const ids = new Set(elements.map(({ data }) => data.id!))
    this.#cy.batch(() => {
      this.#cy.elements().forEach((element) => {
        if (ids.has(element.id())) return
        element.remove()
        this.#shown.delete(element.id())
      })
      // Nodes first: an edge is added between nodes that are there.
      for (const element of elements.toSorted((a, b) => Number(a.group === 'edges') - Number(b.group === 'edges'))) {
        const id = element.data.id!
        const known = this.#cy.getElementById(id)
        const sign = JSON.stringify([element.classes, element.data, element.position])
        if (known.nonempty() && this.#shown.get(id) === sign && !(known.isNode() && moved(known as NodeSingular, element))) continue
        this.#shown.set(id, sign)
        // An edge whose ends changed is another edge.
        if (known.empty() || (known.isEdge() && (known.data('target') !== element.data.target || known.data('source') !== element.data.source))) {
          known.remove()
          this.#cy.add(element)
          continue
        }
        const slides = known.isNode() && known.hasClass('vip') && known.data('owner') !== element.data.owner
        known.data(element.data)
        known.classes([element.classes ?? '', ...marks.filter((mark) => known.hasClass(mark))].join(' '))
        if (!known.isNode() || !element.position || known.grabbed()) continue
        known.stop()
        if (slides && !this.#still.matches) known.animate({ position: element.position }, { duration: slideMs, easing: 'ease-out' })
        else known.position(element.position)
      }
    })
    if (!this.#fitted && elements.length > 0) {
      this.fit()
      this.#fitted = true
    }
    this.#writeNames(true)
  }

  /** Another layer is shown: the picture is fitted anew to what comes next. */
  refit(): void {
    this.#fitted = false
  }

  view(): View {
    return { zoom: this.#cy.zoom(), ...this.#cy.pan() }
  }

  /** Marks what a trace passes, by ids. */
  trace(ids: ReadonlySet<string>): void {
    this.#mark('traced', ids)
  }

  /** Marks what belongs to what is selected, by ids. */
  link(ids: ReadonlySet<string>): void {
    this.#mark('linked', ids)
  }

  choose(ref: Ref | undefined): void {
    this.#cy.batch(() => {
      this.#cy.$('.chosen').removeClass('chosen')
      if (ref) this.#cy.getElementById(refText(ref)).addClass('chosen')
    })
  }

  restyle(style: StylesheetJson): void {
    this.#cy.style(style)
  }

  fit(): void {
    this.#cy.fit(undefined, 36)
    if (this.#cy.zoom() > 1.25) {
      this.#cy.zoom(1.25)
      this.#cy.center()
    }
  }

  zoomBy(factor: number): void {
    this.#cy.zoom({ level: this.#cy.zoom() * factor, renderedPosition: { x: this.#cy.width() / 2, y: this.#cy.height() / 2 } })
  }

  /** The canvas was given another size. */
  resized(): void {
    this.#cy.resize()
    if (this.#fitted) this.fit()
  }

  destroy(): void {
    clearTimeout(this.#settling)
    this.#stopMoves()
    this.#cy.destroy()
  }

  #mark(name: string, ids: ReadonlySet<string>): void {
    this.#cy.batch(() => {
      this.#cy.$(`.${name}`).forEach((element) => void (ids.has(element.id()) || element.removeClass(name)))
      for (const id of ids) this.#cy.getElementById(id).addClass(name)
    })
  }

  /** Names are written larger the farther away they are, so that they can be read while everything is shown. */
  #writeNames(anew = false): void {
    const far = farBelow.findLast(({ zoom }) => this.#cy.zoom() < zoom)?.name ?? ''
    if (far === this.#far && !anew) return
    this.#far = far
    this.#cy.batch(() => {
      // Names are written larger; what stands beside them makes room.
      const names = this.#cy.$('.name, .router, .subnet, .note, .vpc')
      for (const { name } of farBelow) if (name !== far) names.removeClass(name)
      if (far) names.addClass(far)
    })
  }

  /** While a host or switch is dragged, what belongs to it goes along. */
  #carry(held: NodeSingular): void {
    const start = { ...held.position() }
    const others = this.#cy.nodes().filter((node) => node.data('group') === held.data('group') && node.id() !== held.id())
    const from = others.toArray().map((node) => ({ node: node as NodeSingular, at: { ...(node as NodeSingular).position() } }))
    const follow = (): void => {
      const { x, y } = held.position()
      for (const { node, at } of from) node.position({ x: at.x + x - start.x, y: at.y + y - start.y })
    }
    held.on('drag', follow)
    held.one('free', () => held.off('drag', undefined, follow))
  }
}

const moved = (node: NodeSingular, { position }: ElementDefinition): boolean =>
  position !== undefined && !node.grabbed() && (node.position('x') !== position.x || node.position('y') !== position.y)

/**
 * Keeps moves of a mouse without a button from Cytoscape: nothing on the picture answers to hovering, and looking what is under the mouse
 * takes 26 to 46 ms at 2,000 nodes.
 */
function withoutHover(container: HTMLElement): () => void {
  const listener = (event: MouseEvent): void => {
    if (event.buttons === 0 && event.target instanceof Node && container.contains(event.target)) event.stopPropagation()
  }
  window.addEventListener('mousemove', listener, true)
  return () => window.removeEventListener('mousemove', listener, true)
}
