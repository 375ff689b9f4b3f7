// The boxes over the cells: one's own selection, other people's cursors, ranges and names, and a flash where they wrote.

import type { Grid } from "./grid"
import type { Model } from "./model"
import type { Person } from "./presence"
import type { Range, Selection } from "./selection"

/** More flashes than this at once are a paste, not something an eye could follow. */
const MAX_FLASHES = 80

export class Overlay {
  #range = layer("range")
  #active = layer("active")
  #people = new Map<string, PersonBoxes>()

  constructor(
    private readonly grid: Grid,
    private readonly model: Model,
    private readonly selection: Selection,
  ) {
    grid.overlay.append(this.#range, this.#active)
  }

  drawSelection(): void {
    const { active, range, isSingle } = this.selection
    const empty = this.model.rows().length === 0 || this.model.cols().length === 0
    this.#active.hidden = empty
    this.#range.hidden = isSingle || empty
    place(this.#active, this.grid.box(spotRange(active.row, active.col)))
    place(this.#range, this.grid.box(range))
  }

  drawPeople(people: readonly Person[]): void {
    const seen = new Set(people.map(person => person.peer))
    for (const [peer, boxes] of this.#people) {
      if (!seen.has(peer)) {
        boxes.remove()
        this.#people.delete(peer)
      }
    }
    for (const person of people) {
      let boxes = this.#people.get(person.peer)
      if (!boxes) this.#people.set(person.peer, (boxes = new PersonBoxes(this.grid.overlay, person.peer)))
      boxes.draw(person, this.grid, this.model)
    }
  }

  /** A short glow on cells that somebody else has just written. */
  flash(cells: readonly { row: string; column: string }[]): void {
    const { first, last } = this.grid.visibleRows()
    let left = MAX_FLASHES
    for (const { row, column } of cells) {
      const r = this.model.rowIndex(row)
      const c = this.model.columnIndex(column)
      if (r < first || r > last || c < 0 || left-- <= 0) continue
      const glow = layer("flash")
      glow.hidden = false
      place(glow, this.grid.box(spotRange(r, c)))
      glow.addEventListener("animationend", () => glow.remove())
      this.grid.overlay.prepend(glow)
    }
  }
}

class PersonBoxes {
  #range = layer("their-range")
  #cursor = layer("their-cursor")
  #draft = document.createElement("span")
  #flag = document.createElement("span")
  #at = ""

  constructor(overlay: HTMLElement, peer: string) {
    this.#cursor.dataset.peer = peer
    this.#draft.className = "draft"
    this.#flag.className = "flag"
    this.#cursor.append(this.#draft, this.#flag)
    overlay.append(this.#range, this.#cursor)
  }

  draw(person: Person, grid: Grid, model: Model): void {
    const row = model.rowIndex(person.cursor?.row ?? "")
    const col = model.columnIndex(person.cursor?.column ?? "")
    const shown = row >= 0 && col >= 0
    this.#cursor.hidden = !shown
    const range = shown && person.selection ? rangeOf(person.selection, model) : null
    this.#range.hidden = !range
    if (!shown) return
    for (const box of [this.#cursor, this.#range]) {
      box.style.setProperty("--person", `var(--person-${person.color})`)
      box.classList.toggle("away", person.away)
    }
    place(this.#cursor, grid.box(spotRange(row, col)))
    if (range) place(this.#range, grid.box(range))
    const typing = person.typing
    this.#cursor.classList.toggle("typing", typing !== null)
    // In the first row a flag above the cell would be cut off by the header.
    this.#cursor.classList.toggle("flag-below", row === 0)
    this.#draft.textContent = typing?.text ?? ""
    this.#draft.hidden = typing === null
    this.#flag.textContent = typing ? `${person.name} is typing` : person.name
    const at = `${row}:${col}:${typing !== null}`
    if (at !== this.#at) {
      this.#at = at
      // Shows the name anew; it fades to a corner dot after three seconds without a move (see the stylesheet).
      for (const animation of this.#flag.getAnimations()) {
        animation.cancel()
        animation.play()
      }
    }
  }

  remove(): void {
    this.#range.remove()
    this.#cursor.remove()
  }
}

function rangeOf({ from, to }: NonNullable<Person["selection"]>, model: Model): Range | null {
  const rows = [model.rowIndex(from.row), model.rowIndex(to.row)]
  const cols = [model.columnIndex(from.column), model.columnIndex(to.column)]
  if (Math.min(...rows, ...cols) < 0) return null
  return { top: Math.min(...rows), bottom: Math.max(...rows), left: Math.min(...cols), right: Math.max(...cols) }
}

function spotRange(row: number, col: number): Range {
  return { top: row, bottom: row, left: col, right: col }
}

function layer(name: string): HTMLElement {
  const element = document.createElement("div")
  element.className = `box ${name}`
  element.setAttribute("aria-hidden", "true")
  element.hidden = true
  return element
}

function place(element: HTMLElement, box: { left: number; top: number; width: number; height: number }): void {
  element.style.transform = `translate(${box.left}px, ${box.top}px)`
  element.style.width = `${box.width}px`
  element.style.height = `${box.height}px`
}
