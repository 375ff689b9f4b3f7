// The one place text is typed: a textarea that always holds the focus at the active cell, invisible until it is needed.
//
// Because it has the focus before the first key, no keystroke can fall between opening and typing, and input methods
// and on-screen keyboards work as in any text field. It stays open through remote changes; only its place may move.

import type { Grid } from "./grid"
import type { Spot } from "./selection"

/** "type": typing replaced the cell, and arrows leave it. "edit": the text is being corrected, and arrows move the caret. */
export type Mode = "idle" | "type" | "edit"

export interface EditorEvents {
  /** Typing begins in an idle cell. False refuses it (nothing can be typed there). */
  begins(): boolean
  typed(text: string): void
}

export class Editor {
  readonly element = document.createElement("textarea")
  #mode: Mode = "idle"
  #composing = false

  constructor(
    private readonly grid: Grid,
    private readonly events: EditorEvents,
  ) {
    const { element } = this
    element.className = "editor"
    element.rows = 1
    element.spellcheck = false
    element.autocapitalize = "off"
    element.setAttribute("autocomplete", "off")
    element.addEventListener("compositionstart", () => {
      this.#composing = true
      this.#enter()
    })
    element.addEventListener("compositionend", () => {
      this.#composing = false
      if (this.#mode !== "idle") this.events.typed(element.value)
    })
    element.addEventListener("input", () => {
      if (this.#enter()) this.events.typed(element.value)
    })
    grid.overlay.append(element)
  }

  get mode(): Mode {
    return this.#mode
  }

  /** An input method is at work: its keys belong to it. */
  get composing(): boolean {
    return this.#composing
  }

  get text(): string {
    return this.element.value
  }

  /** With a finger the on-screen keyboard comes only when the editor opens; the field holds the focus all the same. */
  byFinger(finger: boolean): void {
    if (this.#mode === "idle") this.element.inputMode = finger ? "none" : ""
  }

  /** Opens with a text to correct. */
  open(text: string): void {
    this.#mode = "edit"
    if (this.element.inputMode === "none") {
      this.element.inputMode = ""
      this.element.blur() // the keyboard is decided when a field gets the focus
    }
    this.element.value = text
    this.element.classList.add("open")
    this.focus()
    this.element.setSelectionRange(text.length, text.length)
    this.events.typed(text)
  }

  close(): void {
    this.#mode = "idle"
    this.#composing = false
    this.element.value = ""
    this.element.classList.remove("open")
  }

  /** Arrows move the caret from now on (F2 while typing). */
  correct(): void {
    if (this.#mode === "type") this.#mode = "edit"
  }

  /** Puts another text in the place of the whole one, the caret behind it. */
  replace(text: string): void {
    this.element.value = text
    this.element.setSelectionRange(text.length, text.length)
  }

  insert(text: string): void {
    this.element.setRangeText(text, this.element.selectionStart, this.element.selectionEnd, "end")
    this.events.typed(this.element.value)
  }

  placeAt({ row, col }: Spot, label: string, numeric: boolean): void {
    const box = this.grid.box({ top: row, bottom: row, left: col, right: col })
    const { style } = this.element
    // A large field may reach out of what is to be seen of the grid, where it would be cut off: it moves up and left.
    const [width, height] = this.element.classList.contains("long") ? [this.element.offsetWidth, this.element.offsetHeight] : [0, 0]
    const view = this.grid.view()
    const left = Math.max(Math.min(box.left, view.right - width - 4), Math.min(box.left, view.left))
    const top = Math.max(Math.min(box.top, view.bottom - height - 4), Math.min(box.top, view.top))
    style.transform = `translate(${width > 0 ? left : box.left}px, ${height > 0 ? top : box.top}px)`
    style.minWidth = `${box.width}px`
    style.minHeight = `${box.height}px`
    style.setProperty("--cell-width", `${box.width}px`)
    this.element.classList.toggle("numeric", numeric)
    this.element.setAttribute("aria-label", label)
  }

  focus(): void {
    this.element.focus({ preventScroll: true })
  }

  #enter(): boolean {
    if (this.#mode !== "idle") return true
    if (!this.events.begins()) {
      this.element.value = ""
      return false
    }
    this.#mode = "type"
    this.element.classList.add("open")
    return true
  }
}
