// The headers of the columns: a menu each, a name to edit in its place, dragging to another place, and one + at the end.

import { hasOptions, type Beside, type Columns } from "./columns"
import { fitted } from "./fit"
import type { Grid } from "./grid"
import { openMenu, type Item } from "./menu"
import type { Column } from "./model"
import { openOptionEditor } from "./option-editor"
import type { Place } from "./popover"
import { KIND_NAMES, kindName, KINDS, type Kind } from "./schema"
import type { Selection } from "./selection"
import type { Table } from "./table"
import { toast } from "./toast"
import { expects } from "./values"

export interface HeaderParts {
  grid: Grid
  table: Table
  selection: Selection
  columns: Columns
  /** Gives the focus back to the table. */
  focus(): void
  /** Keeps what is being typed before anything happens to its column. */
  commit(): void
}

/** Where columns stand may be for somebody else to say, such as a view that lists the columns it shows. */
export interface Arranging {
  /** False: it is not for it to say, and the column moves in the table. */
  move(column: string, beside: Beside): boolean
  added(column: string, beside: Beside): void
}

export class Headers {
  arranging: Arranging | null = null
  /** Whoever else has something to offer for a column adds it to its menu. */
  readonly extras: ((column: Column) => Item[])[] = []

  constructor(private readonly parts: HeaderParts) {
    const element: HTMLElement = parts.grid.element
    element.addEventListener("click", event => this.#clicked(event))
    element.addEventListener("dblclick", event => this.#doubleClicked(event))
    element.addEventListener("contextmenu", (event: MouseEvent) => {
      const column = this.#columnAt(event.target as Element)
      if (!column) return
      event.preventDefault()
      this.openMenu(column.id, () => ({ left: event.clientX, top: event.clientY, width: 0, height: 0 }))
    })
    element.addEventListener("pointerdown", event => this.#maybeDrag(event), true)
    element.addEventListener("aftercolumnresize", event => {
      const resized = Object.values((event as CustomEvent).detail as Record<string, { prop: string; size: number }>)
      for (const { prop, size } of resized) if (parts.table.columnIndex(prop) >= 0) parts.columns.resize(prop, size)
    })
  }

  /** The menu of the column with the active cell, for the keyboard. */
  openForSelection(): void {
    const column = this.parts.table.cols()[this.parts.selection.active.col]
    if (!column) return
    this.parts.grid.reveal(this.parts.selection.active)
    this.openMenu(column.id)
  }

  openMenu(id: string, anchor: () => Place = () => this.#box(id)): void {
    const { table, focus, commit } = this.parts
    const column = table.column(id)
    if (!column) return
    commit()
    const opener = this.parts.grid.element.querySelector(`.rgHeaderCell[data-rgcol="${table.columnIndex(id)}"] .caret`)
    openMenu({ anchor, label: `Column ${column.name}`, items: this.#items(column), opener, closed: focus })
  }

  rename(id: string): void {
    const { grid, table, columns, focus, commit } = this.parts
    const index = table.columnIndex(id)
    if (index < 0) return
    commit()
    grid.reveal({ row: grid.visibleRows().first, col: index })
    const input = document.createElement("input")
    input.className = "rename"
    input.value = table.column(id)?.name ?? ""
    input.setAttribute("aria-label", "Name of the column")
    input.spellcheck = false
    const place = () => {
      const box = this.#box(id)
      Object.assign(input.style, { left: `${box.left}px`, top: `${box.top}px`, width: `${box.width}px`, height: `${box.height}px` })
    }
    const stop = new AbortController()
    const end = (keep: boolean) => {
      if (stop.signal.aborted) return
      stop.abort()
      unwatch()
      if (keep) columns.rename(id, input.value)
      input.remove()
      follow.disconnect()
    }
    const unwatch = table.subscribe(change => change.structure && place())
    // A column that has just been added is wider than what can be scrolled to, until the grid has drawn it.
    const follow = new ResizeObserver(() => {
      grid.reveal({ row: grid.visibleRows().first, col: table.columnIndex(id) })
      place()
    })
    if (grid.overlay.parentElement) follow.observe(grid.overlay.parentElement)
    addEventListener("scroll", place, { capture: true, signal: stop.signal })
    addEventListener("resize", place, { signal: stop.signal })
    input.addEventListener("blur", () => end(true))
    input.addEventListener("keydown", event => {
      event.stopPropagation()
      if (event.isComposing || !["Enter", "Escape", "Tab"].includes(event.key)) return
      event.preventDefault()
      end(event.key !== "Escape")
      focus()
    })
    document.body.append(input)
    place()
    input.focus()
    input.select()
  }

  #items(column: Column): Item[] {
    const { table, columns, grid } = this.parts
    const { id } = column
    const index = table.columnIndex(id)
    const odd = columns.unfitting(id)
    const items: Item[] = [
      { label: "Rename", icon: "pencil", run: () => this.rename(id) },
      {
        label: "Kind",
        icon: `kind-${column.kind}`,
        hint: kindName(column.kind),
        items: () => this.#kinds(column.kind, kind => this.#setKind(id, kind)),
      },
    ]
    if (hasOptions(column.kind)) {
      items.push({ label: "Edit options…", icon: "options", run: () => this.editOptions(id) })
    }
    if (odd > 0) {
      items.push({ label: "Convert cells that do not fit", icon: "convert", hint: String(odd), run: () => this.#convert(id) })
    }
    items.push(
      ...this.extras.flatMap(extra => extra(column).map((item, i) => (i === 0 ? { ...item, apart: true } : item))),
      { label: "Insert left", icon: "insert-left", apart: true, run: () => this.#add("text", { before: id }) },
      { label: "Insert right", icon: "insert-right", run: () => this.#add("text", { after: id }) },
      { label: "Move left", icon: "left", disabled: index <= 0, run: () => this.#shift(id, -1) },
      { label: "Move right", icon: "right", disabled: index >= table.cols().length - 1, run: () => this.#shift(id, 1) },
      { label: "Fit to content", icon: "fit", run: () => columns.resize(id, fitted(grid, table, column)) },
      { label: "Delete column", icon: "trash", danger: true, apart: true, run: () => this.#delete(column) },
    )
    return items
  }

  #kinds(current: Kind | null, choose: (kind: Kind) => void): Item[] {
    return KINDS.map(kind => {
      const item: Item = { label: KIND_NAMES[kind], icon: `kind-${kind}`, run: () => choose(kind) }
      return current === null ? item : { ...item, checked: kind === current }
    })
  }

  /** The menu of the +: a column of each kind, and those that were deleted. */
  #openAdd(button: Element): void {
    const { table, columns, focus, commit } = this.parts
    commit()
    const items = this.#kinds(null, kind => this.#add(kind, "end"))
    const deleted = table.deletedColumns()
    if (deleted.length > 0) {
      const restore = () =>
        [...deleted]
          .sort((a, b) => b.at - a.at)
          .map(({ column, by, at }): Item => {
            const hint = [by && `by ${by}`, at > 0 && ago(at)].filter(Boolean).join(", ")
            return { label: column.name || "Untitled", icon: "undo", hint, run: () => columns.restore(column.id) }
          })
      items.push({ label: "Deleted columns", icon: "trash", hint: String(deleted.length), apart: true, items: restore })
    }
    openMenu({ anchor: () => button.getBoundingClientRect(), label: "Add a column", heading: "New column", items, opener: button, closed: focus })
  }

  #shift(id: string, by: -1 | 1): void {
    const { table } = this.parts
    const neighbour = table.cols()[table.columnIndex(id) + by]?.id
    if (neighbour !== undefined) this.#move(id, by < 0 ? { before: neighbour } : { after: neighbour })
  }

  #move(id: string, beside: Beside): void {
    if (!this.arranging?.move(id, beside)) this.parts.columns.move(id, beside)
  }

  #add(kind: Kind, beside: Beside): void {
    const { columns, table, selection } = this.parts
    const id = columns.add(kind, beside)
    this.arranging?.added(id, beside)
    if (table.columnIndex(id) < 0) return
    selection.select({ row: selection.active.row, col: table.columnIndex(id) })
    this.rename(id)
  }

  #setKind(id: string, kind: Kind): void {
    const { columns, table } = this.parts
    columns.setKind(id, kind)
    const column = table.column(id)
    const odd = columns.unfitting(id)
    if (!column || odd === 0) return
    const cells = odd === 1 ? "1 cell is" : `${odd.toLocaleString("en")} cells are`
    toast(`${cells} not what ${column.name} takes now: ${expects(kind)}. Kept as they are, and marked.`, {
      label: "Convert",
      run: () => this.#convert(id),
    })
  }

  #convert(id: string): void {
    const { columns, focus } = this.parts
    const changed = columns.convert(id)
    const left = columns.unfitting(id)
    const cells = (count: number) => `${count.toLocaleString("en")} ${count === 1 ? "cell" : "cells"}`
    toast(left === 0 ? `${cells(changed)} converted.` : `${cells(changed)} converted; ${cells(left)} could not be read.`)
    focus()
  }

  #delete(column: Column): void {
    const { columns, focus } = this.parts
    columns.remove(column.id)
    toast(`Column “${column.name}” deleted.`, {
      label: "Bring it back",
      run: () => {
        columns.restore(column.id)
        focus()
      },
    })
  }

  editOptions(id: string): void {
    openOptionEditor({ ...this.parts, id, anchor: () => this.#box(id) })
  }

  #clicked(event: MouseEvent): void {
    const target = event.target as Element
    const column = this.#columnAt(target)
    if (target.closest(".caret") && column) this.openMenu(column.id)
    const add = target.closest(".add-column")
    if (add) this.#openAdd(add)
  }

  #doubleClicked(event: MouseEvent): void {
    const target = event.target as Element
    const column = this.#columnAt(target)
    if (!column || target.closest(".caret")) return
    const { columns, grid, table } = this.parts
    if (target.closest(".resizable")) columns.resize(column.id, fitted(grid, table, column))
    else this.rename(column.id)
  }

  /** A header that is pulled sideways moves its column; a line shows where it would go. */
  #maybeDrag(event: PointerEvent): void {
    const target = event.target as Element
    const column = this.#columnAt(target)
    // A finger scrolls the headers; the menu moves columns there.
    if (!column || event.button !== 0 || event.pointerType === "touch" || target.closest("button, .resizable")) return
    const { grid, table } = this.parts
    const line = document.createElement("div")
    line.className = "drop-line"
    let gap = -1
    const move = (now: PointerEvent) => {
      if (gap < 0 && Math.abs(now.clientX - event.clientX) < 8) return
      if (!line.isConnected) {
        document.body.append(line)
        document.documentElement.classList.add("dragging")
      }
      grid.scrollAtEdge(now.clientX)
      gap = grid.gapAt(now.clientX)
      const box = grid.headerBox(Math.min(gap, table.cols().length - 1))
      const left = gap < table.cols().length ? box.left : box.left + box.width
      Object.assign(line.style, { left: `${left - 1}px`, top: `${box.top}px`, height: `${grid.element.clientHeight}px` })
    }
    const stop = new AbortController()
    const end = (keep: boolean) => {
      stop.abort()
      line.remove()
      document.documentElement.classList.remove("dragging")
      const from = table.columnIndex(column.id)
      if (!keep || gap < 0 || gap === from || gap === from + 1) return
      const next = table.cols()[gap]
      const last = table.cols()[gap - 1]
      if (next) this.#move(column.id, { before: next.id })
      else if (last) this.#move(column.id, { after: last.id })
    }
    const { signal } = stop
    addEventListener("pointermove", move, { signal })
    addEventListener("pointerup", () => end(true), { signal })
    addEventListener("pointercancel", () => end(false), { signal })
    addEventListener(
      "keydown",
      key => {
        if (key.key !== "Escape") return
        key.stopPropagation()
        end(false)
      },
      { signal, capture: true },
    )
  }

  #columnAt(target: Element): Column | undefined {
    const header = target.closest("revogr-header .rgHeaderCell")
    const index = header?.getAttribute("data-rgcol")
    return header?.closest("revogr-row-headers") || index == null ? undefined : this.parts.table.cols()[Number(index)]
  }

  #box(id: string): Place {
    return this.parts.grid.headerBox(this.parts.table.columnIndex(id))
  }
}

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "narrow" })

function ago(at: number): string {
  const minutes = Math.round((at - Date.now()) / 60_000)
  if (minutes >= 0) return "just now"
  if (minutes > -60) return RELATIVE.format(minutes, "minute")
  return minutes > -60 * 24 ? RELATIVE.format(Math.round(minutes / 60), "hour") : RELATIVE.format(Math.round(minutes / 1440), "day")
}
