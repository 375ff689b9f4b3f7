// RevoGrid as a painter: it draws rows, headers and scrollbars and nothing else.
//
// Selecting, editing, the clipboard and presence are drawn and decided outside of it (see docs in README, "The grid"):
// RevoGrid moves its focus 70 ms and two frames after an arrow key, so that Ctrl+C right after Shift+arrow copied the old
// range and text typed after Enter went into the old cell; and F2 opened an editor whose first key replaced the text.

import { defineCustomElements } from "@revolist/revogrid/loader"
import type { ColumnRegular, HyperFunc, VNode } from "@revolist/revogrid"
import { drawCell, lookOf } from "./cells"
import { PATHS } from "./icons"
import type { Column, Model } from "./model"
import type { Range, Spot } from "./selection"
import { Lines } from "./lines"
import { Steady } from "./steady"

const ROW_HEIGHT = 30
const ROW_NUMBER_WIDTH = 56
const HEADER_HEIGHT = 32
/** The column behind all others, which holds nothing but the + in its header. */
const ADD_WIDTH = 44

type Gridded = HTMLRevoGridElement

interface GridRow {
  id: string
}

/** The id of a line without a row, on which the heading of a group stands. */
const HEADING = ""

const isHeading = (model: unknown): boolean => (model as GridRow).id === HEADING

/** Registers RevoGrid's elements. Before that, `revo-grid` is an unknown element without methods. */
export async function defineGrid(): Promise<void> {
  defineCustomElements()
  await customElements.whenDefined("revo-grid")
}

export class Grid {
  readonly element: Gridded
  /** Lies over the cells inside what scrolls, so that boxes and the editor move with the cells by themselves. */
  readonly overlay = document.createElement("div")
  #lefts: number[] = []
  #lines = new Lines([])
  #shownColumns = ""
  #scrollY: HTMLElement | null = null
  #scrollX: HTMLElement | null = null
  #steadyY: Steady | null = null
  #steadyX: Steady | null = null

  constructor(
    host: HTMLElement,
    private readonly model: Model,
  ) {
    this.overlay.className = "overlay"
    this.element = document.createElement("revo-grid")
    Object.assign(this.element, {
      readonly: true,
      canFocus: false,
      useClipboard: false,
      range: false,
      canMoveColumns: false,
      resize: true,
      accessible: false,
      hideAttribution: true,
      rowSize: ROW_HEIGHT,
      rowHeaders: { size: ROW_NUMBER_WIDTH, cellTemplate: (_: unknown, { rowIndex }: { rowIndex: number }) => this.#lines.number(rowIndex) },
      theme: "compact",
    })
    this.element.setAttribute("role", "grid")
    this.element.setAttribute("aria-multiselectable", "true")
    // The keys are ours; without this RevoGrid would follow them too, later.
    this.element.addEventListener("beforekeydown", event => event.preventDefault())
    this.element.addEventListener("beforecellfocus", event => event.preventDefault())
    this.element.addEventListener("beforerowrender", event => {
      const { node, item } = (event as CustomEvent).detail
      const number = this.#lines.number(item.itemIndex)
      // The heading of a group says itself what it is; the line behind it is empty.
      const shown = number === "" ? { role: "presentation" } : { role: "row", "aria-rowindex": String(Number(number) + 1) }
      Object.assign((node.$attrs$ ??= {}), shown)
    })
    this.setColumns()
    this.setRows()
    host.append(this.element)
  }

  /** Resolves once RevoGrid has drawn its first cells and the overlay is in its place. */
  async ready(): Promise<void> {
    await this.element.componentOnReady()
    await new Promise<void>(resolve => {
      const look = () => {
        const content = this.element.querySelector<HTMLElement>("revogr-viewport-scroll.rgCol .content-wrapper")
        if (!content) return void requestAnimationFrame(look)
        content.append(this.overlay)
        this.#scrollY = content.closest(".vertical-inner")
        this.#scrollX = content.closest("revogr-viewport-scroll")
        if (this.#scrollY) this.#steadyY = new Steady(this.#scrollY, "scrollTop", this.element)
        if (this.#scrollX) this.#steadyX = new Steady(this.#scrollX, "scrollLeft", this.element)
        resolve()
      }
      look()
    })
  }

  setColumns(): void {
    const shown = JSON.stringify(this.model.cols())
    // New rows come with every structure change; columns hardly ever, and laying them out anew costs a frame.
    if (shown === this.#shownColumns) return
    this.#shownColumns = shown
    let left = 0
    this.#lefts = this.model.cols().map(column => (left += column.width) - column.width)
    this.#lefts.push(left)
    this.element.columns = [...this.model.cols().map((column, index) => this.#column(column, index)), addColumn()]
    this.element.setAttribute("aria-colcount", String(this.model.cols().length))
  }

  #column(column: Column, index: number): ColumnRegular {
    const value = (model: unknown) => this.model.get((model as GridRow).id, column.id)
    const place = { "aria-colindex": String(index + 1) }
    return {
      prop: column.id,
      name: column.name,
      size: column.width,
      minSize: 48,
      sortable: false,
      filter: false,
      columnProperties: () => ({
        role: "columnheader",
        ...place,
        class: { [`kind-${column.kind}`]: true },
        title: `${column.name} (${column.kind})`,
      }),
      columnTemplate: h => drawHeader(h, column),
      cellProperties: ({ model }) => {
        if (isHeading(model)) return { class: { heading: true } }
        return { role: "gridcell", ...place, ...lookOf(column, value(model)) }
      },
      cellTemplate: (h, { model }) => (isHeading(model) ? "" : drawCell(h, column, value(model))),
    }
  }

  setRows(): void {
    this.#lines = new Lines(this.model.groupStarts?.() ?? [])
    this.element.source = this.#lines.spread(this.model.rows(), HEADING).map(id => ({ id }))
    this.element.setAttribute("aria-rowcount", String(this.model.rows().length + 1))
  }

  /** Draws the visible cells again; only text that differs touches the page. Calls within a frame are one. */
  redraw(): void {
    // A new value for this property makes RevoGrid's data layer render. Its own `setDataAt` awaits a hidden element for
    // every cell and writes `innerHTML` behind its virtual tree; `refresh()` walks all rows.
    for (const layer of this.element.querySelectorAll<HTMLElement & { additionalData: object }>(
      'revogr-data[type="rgRow"][col-type="rgCol"]',
    )) {
      layer.additionalData = {}
    }
  }

  box({ top, left, bottom, right }: Range): { left: number; top: number; width: number; height: number } {
    const x = this.#lefts[left] ?? 0
    return {
      left: x,
      top: this.#lines.of(top) * ROW_HEIGHT,
      width: (this.#lefts[right + 1] ?? x) - x,
      height: (this.#lines.of(bottom) - this.#lines.of(top) + 1) * ROW_HEIGHT,
    }
  }

  /** The cell under a point of the window, clamped to the table: a drag may leave it. */
  spotAt(clientX: number, clientY: number): Spot {
    const rect = this.overlay.getBoundingClientRect()
    const x = clientX - rect.left
    let col = this.model.cols().length - 1
    while (col > 0 && (this.#lefts[col] ?? 0) > x) col--
    const row = this.#lines.rowAt(Math.floor((clientY - rect.top) / ROW_HEIGHT))
    return { row: Math.max(0, Math.min(row, this.model.rows().length - 1)), col }
  }

  /** Scrolls just as far as needed for the cell to be seen whole. */
  reveal({ row, col }: Spot): void {
    const y = this.#scrollY
    const x = this.#scrollX
    if (!y || !x) return
    const box = this.box({ top: row, bottom: row, left: col, right: col })
    if (box.top < y.scrollTop) this.#steadyY?.scrollTo(box.top)
    else if (box.top + box.height > y.scrollTop + y.clientHeight) this.#steadyY?.scrollTo(box.top + box.height - y.clientHeight)
    if (box.left < x.scrollLeft) this.#steadyX?.scrollTo(box.left)
    else if (box.left + box.width > x.scrollLeft + x.clientWidth) this.#steadyX?.scrollTo(box.left + box.width - x.clientWidth)
  }

  /** Where the header of a column is in the window. */
  headerBox(col: number): { left: number; top: number; width: number; height: number } {
    const { left, width } = this.box({ top: 0, bottom: 0, left: col, right: col })
    const origin = this.overlay.getBoundingClientRect()
    return { left: origin.left + left, top: this.element.getBoundingClientRect().top, width, height: HEADER_HEIGHT }
  }

  /** The gap between columns that is nearest to a place in the window: 0 is before the first column. */
  gapAt(clientX: number): number {
    const x = clientX - this.overlay.getBoundingClientRect().left
    return this.#lefts.reduce((best, left, i) => (Math.abs(left - x) < Math.abs(this.#lefts[best]! - x) ? i : best), 0)
  }

  /** Scrolls sideways while something is held near the edge. */
  scrollAtEdge(clientX: number): void {
    const area = this.#scrollX?.getBoundingClientRect()
    if (!area || !this.#scrollX) return
    if (clientX < area.left + 40) this.#scrollX.scrollLeft -= 16
    else if (clientX > area.right - 40) this.#scrollX.scrollLeft += 16
  }

  /** The part of the cells that is to be seen, as `box` counts. */
  view(): { left: number; top: number; right: number; bottom: number } {
    const [x, y] = [this.#scrollX, this.#scrollY]
    const [left, top] = [x?.scrollLeft ?? 0, y?.scrollTop ?? 0]
    return { left, top, right: left + (x?.clientWidth ?? 0), bottom: top + (y?.clientHeight ?? 0) }
  }

  visibleRows(): { first: number; last: number; page: number } {
    const top = this.#scrollY?.scrollTop ?? 0
    const height = this.#scrollY?.clientHeight ?? 0
    const page = Math.max(1, Math.floor(height / ROW_HEIGHT) - 1)
    const rowAt = (y: number) => this.#lines.rowAt(y / ROW_HEIGHT)
    return { first: rowAt(Math.floor(top)), last: rowAt(Math.ceil(top + height)), page }
  }

  /** Calls back whenever the cells are scrolled; `left` is how far to the side. */
  watchScroll(scrolled: (left: number) => void): void {
    const tell = () => scrolled(this.#scrollX?.scrollLeft ?? 0)
    this.#scrollX?.addEventListener("scroll", tell, { passive: true })
    this.#scrollY?.addEventListener("scroll", tell, { passive: true })
  }
}

function drawHeader(h: HyperFunc<VNode>, column: Column): VNode {
  return h("span", { class: "head" }, [
    sign(h, `kind-${column.kind}`),
    h("span", { class: "name" }, column.name),
    h("button", { class: "caret", type: "button", "aria-label": `Menu of column ${column.name}`, "aria-haspopup": "menu" }, [
      sign(h, "caret"),
    ]),
  ])
}

function addColumn(): ColumnRegular {
  const label = "Add a column, or bring back a deleted one"
  return {
    prop: "+",
    size: ADD_WIDTH,
    minSize: ADD_WIDTH,
    maxSize: ADD_WIDTH,
    sortable: false,
    filter: false,
    columnProperties: () => ({ class: { beyond: true } }),
    columnTemplate: h =>
      h("button", { class: "add-column", type: "button", title: label, "aria-label": label, "aria-haspopup": "menu" }, [sign(h, "add")]),
    cellProperties: () => ({ class: { beyond: true }, "aria-hidden": "true" }),
    cellTemplate: h => h("span", {}),
  }
}

function sign(h: HyperFunc<VNode>, name: string): VNode {
  return h("svg", { viewBox: "0 0 18 18", class: "icon", "aria-hidden": "true" }, [h("path", { d: PATHS[name] ?? PATHS["kind-text"] })])
}
