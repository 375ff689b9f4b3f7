// Keys: one table for moving about, one for an open editor. What neither names is typed into the cell.

import type { Selection, Spot } from "./selection"

export interface KeyActions {
  selection: Selection
  mode(): "idle" | "type" | "edit"
  composing(): boolean
  page(): number
  lastSpot(): Spot
  openEditor(): void
  /** F2 in a cell just typed into: arrows move the caret from now on. */
  correct(): void
  commit(): void
  cancel(): void
  newline(): void
  clear(): void
  /** Space in a checkbox cell. False: it is none, so the space is typed. */
  toggle(): boolean
  /** What an open list or a text of many lines makes of a key. False leaves it to the browser; null: as in every cell. */
  special(event: KeyboardEvent): boolean | null
  /** Alt with an arrow up (1) or down (-1): one more or less, or the calendar or list of the cell. */
  nudge(by: 1 | -1): boolean
  columnMenu(): void
  undo(): void
  redo(): void
  fillDown(): void
  fillRight(): void
}

const ARROWS: Record<string, [number, number]> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
}

export class Keyboard {
  /** The column Tab was first pressed in: Enter at the end of a line of cells goes back there, as on every spreadsheet. */
  #lineStart: number | null = null

  constructor(private readonly act: KeyActions) {
    act.selection.subscribe(() => {
      if (!this.#moving) this.#lineStart = null
    })
  }

  #moving = false

  handle(event: KeyboardEvent): void {
    // The key that ends a composition still belongs to the input method (229 is how browsers say so).
    if (this.act.composing() || event.isComposing || event.keyCode === 229) return
    const taken = this.act.mode() === "idle" ? this.#idle(event) : this.#editing(event)
    if (taken) event.preventDefault()
  }

  #idle(event: KeyboardEvent): boolean {
    const { act } = this
    const command = event.ctrlKey || event.metaKey
    const key = event.key
    if (ARROWS[key] && !event.altKey) return this.#arrow(ARROWS[key], command, event.shiftKey)
    if (event.altKey && (key === "ArrowUp" || key === "ArrowDown")) return act.nudge(key === "ArrowUp" ? 1 : -1)
    if (key === "ContextMenu" || (key === "F10" && event.shiftKey)) {
      act.columnMenu()
      return true
    }
    if (command && !event.altKey) return this.#command(key.toLowerCase(), event.shiftKey)
    const last = act.lastSpot()
    const { active, end } = act.selection
    const go = (spot: Spot) => (event.shiftKey ? act.selection.extendTo(spot) : act.selection.select(spot))
    const from = event.shiftKey ? end : active
    switch (key) {
      case "Enter":
        if (event.shiftKey) act.selection.move(-1, 0)
        else act.openEditor()
        return true
      case "F2":
        act.openEditor()
        return true
      case "Tab":
        return this.#tab(event.shiftKey)
      case "Escape":
        act.selection.select(active)
        return true
      case "Delete":
      case "Backspace":
        act.clear()
        return true
      case "Home":
        go({ row: from.row, col: 0 })
        return true
      case "End":
        go({ row: from.row, col: last.col })
        return true
      case "PageUp":
      case "PageDown":
        go({ row: from.row + (key === "PageUp" ? -1 : 1) * act.page(), col: from.col })
        return true
      case " ":
        if (!event.shiftKey) return act.toggle()
        act.selection.selectBlock({ row: active.row, col: 0 }, { row: end.row, col: last.col }, "stay")
        return true
      default:
        return false
    }
  }

  #arrow([rows, cols]: [number, number], command: boolean, shift: boolean): true {
    const { selection } = this.act
    const from = shift ? selection.end : selection.active
    if (command) {
      const spot = selection.edge(from, rows, cols)
      if (shift) selection.extendTo(spot)
      else selection.select(spot)
    } else if (shift) selection.extend(rows, cols)
    else selection.move(rows, cols)
    return true
  }

  #command(key: string, shift: boolean): boolean {
    const { act } = this
    const last = act.lastSpot()
    switch (key) {
      case "a":
        act.selection.selectAll()
        return true
      case "z":
        if (shift) act.redo()
        else act.undo()
        return true
      case "y":
        act.redo()
        return true
      case "d":
        act.fillDown()
        return true
      case "r":
        // Reloading is not ours to take away unless there is something to fill.
        if (shift || act.selection.range.left === act.selection.range.right) return false
        act.fillRight()
        return true
      case "home":
        if (shift) act.selection.extendTo({ row: 0, col: 0 })
        else act.selection.select({ row: 0, col: 0 })
        return true
      case "end":
        if (shift) act.selection.extendTo(last)
        else act.selection.select(last)
        return true
      case " ":
        act.selection.selectBlock(
          { row: 0, col: act.selection.active.col },
          { row: last.row, col: act.selection.end.col },
          "stay",
        )
        return true
      default:
        return false
    }
  }

  #editing(event: KeyboardEvent): boolean {
    const { act } = this
    const special = act.special(event)
    if (special !== null) return special
    const arrow = ARROWS[event.key]
    if (arrow && act.mode() === "type" && !event.shiftKey && !event.ctrlKey && !event.metaKey && !event.altKey) {
      act.commit()
      act.selection.move(...arrow)
      return true
    }
    switch (event.key) {
      case "Enter":
        if (event.altKey || event.ctrlKey || event.metaKey) act.newline()
        else this.#enter(event.shiftKey)
        return true
      case "Tab":
        act.commit()
        return this.#tab(event.shiftKey)
      case "Escape":
        act.cancel()
        return true
      case "F2":
        act.correct()
        return true
      default:
        return false
    }
  }

  #enter(up: boolean): void {
    const { act } = this
    act.commit()
    const { active } = act.selection
    act.selection.select({ row: active.row + (up ? -1 : 1), col: this.#lineStart ?? active.col })
    this.#lineStart = null
  }

  /** Tab at the end of a row goes on in the next one; Shift+Tab the same way back. */
  #tab(back: boolean): true {
    const { selection } = this.act
    const last = this.act.lastSpot()
    const start = this.#lineStart ?? selection.active.col
    const { row, col } = selection.active
    let next: Spot = { row, col: col + (back ? -1 : 1) }
    if (next.col > last.col) next = row < last.row ? { row: row + 1, col: 0 } : { row, col }
    if (next.col < 0) next = row > 0 ? { row: row - 1, col: last.col } : { row, col }
    this.#moving = true
    selection.select(next)
    this.#moving = false
    this.#lineStart = start
    return true
  }
}
