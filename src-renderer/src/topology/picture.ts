import cytoscape, { type Core, type ElementDefinition, type NodeSingular, type StylesheetJson } from 'cytoscape'
import { refText, parseRef, type Ref } from '../state/place.ts'

export interface PictureEvents {
  onselect: (ref: Ref | undefined) => void
  onopen: (ref: Ref) => void
  /** A host or switch was put somewhere by hand. */
  onmoved: (id: string, at: { x: number; y: number }) => void
}

/** Kinds of nodes that can be chosen; everything else on the picture stands for the object that it belongs to. */
const kinds = new Set(['host', 'switch', 'nic', 'link'])

/** The canvas. It is told what to show and reports what was chosen; it decides nothing. */
export class Picture {
  #cy: Core
  #fitted = false

  constructor(container: HTMLElement, style: StylesheetJson, events: PictureEvents) {
    this.#cy = cytoscape({
      container,
      style,
      layout: { name: 'preset' },
      minZoom: 0.15,
      maxZoom: 2.5,
      boxSelectionEnabled: false,
      autounselectify: true,
      // Hit-testing on every move of the mouse is what costs at thousands of nodes.
      pixelRatio: Math.min(2, window.devicePixelRatio),
    })
    const refOf = (element: { id(): string; data(name: string): string }): Ref | undefined => {
      const own = parseRef(element.id())
      return own && kinds.has(own.kind) ? own : parseRef(element.data('group'))
    }
    this.#cy.on('tap', (event) => events.onselect(event.target === this.#cy ? undefined : refOf(event.target)))
    this.#cy.on('dbltap', 'node', (event) => {
      const ref = refOf(event.target)
      if (ref) events.onopen(ref)
    })
    this.#cy.on('grab', 'node', (event) => this.#carry(event.target as NodeSingular))
    this.#cy.on('dragfree', 'node', (event) => events.onmoved((event.target as NodeSingular).id(), { ...(event.target as NodeSingular).position() }))
  }

  /** Shows these elements: what is there already keeps its place unless the layout says another. */
  show(elements: ElementDefinition[]): void {
    const ids = new Set(elements.map(({ data }) => data.id!))
    this.#cy.batch(() => {
      this.#cy.elements().forEach((element) => void (ids.has(element.id()) || element.remove()))
      for (const element of elements) {
        const known = this.#cy.getElementById(element.data.id!)
        // An edge whose ends changed is another edge.
        if (known.empty() || (known.isEdge() && known.data('target') !== element.data.target)) {
          known.remove()
          this.#cy.add(element)
          continue
        }
        known.data(element.data)
        const marks = ['chosen'].filter((mark) => known.hasClass(mark))
        known.classes([element.classes ?? '', ...marks].join(' '))
        if (known.isNode() && element.position && !known.grabbed()) known.position(element.position)
      }
    })
    if (!this.#fitted && elements.length > 0) {
      this.fit()
      this.#fitted = true
    }
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
    this.#cy.destroy()
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
