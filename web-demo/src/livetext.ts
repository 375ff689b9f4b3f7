// A long text while it is open: every letter is written at once and everybody else's appear between them.

import type { Editor } from "./editor"
import { difference, moved, rebaseText } from "./merge"
import type { Place } from "./presence"
import type { Table } from "./table"
import type { Undo } from "./undo"
import type { Value } from "./values"

export class LiveText {
  #place: Place | null = null
  /** What the document and the text field had in common last. */
  #shared = ""
  /** What I have typed since somebody else wrote last: one step back. */
  #mine: { before: Value; after: Value } | null = null
  /** The first keys have been typed into the empty field before it was opened; they belong behind what is there. */
  #fresh = false
  #busy = false

  constructor(
    private readonly table: Table,
    private readonly undoing: Undo,
    private readonly editor: Editor,
  ) {
    table.subscribe(() => this.#place && this.sync())
  }

  get isOpen(): boolean {
    return this.#place !== null
  }

  /** Only a text merges letter by letter; what else somebody put into the cell is edited as a whole. */
  takes({ row, column }: Place): boolean {
    const value = this.table.get(row, column)
    return this.table.column(column)?.kind === "longtext" && (value === null || typeof value === "string")
  }

  open(place: Place, by: "typing" | "opening"): void {
    this.#place = place
    this.#shared = this.#text
    this.#fresh = by === "typing"
    this.editor.element.classList.add("long")
  }

  close(): void {
    if (!this.#place) return
    this.sync()
    this.#record()
    this.#place = null
    this.editor.element.classList.remove("long")
  }

  /** Enter and the arrows are the text's own. Null: as in every other cell. */
  key(event: KeyboardEvent): false | null {
    return event.key === "Enter" || event.key.startsWith("Arrow") ? false : null
  }

  /** Brings text field and document together. While an input method is at work both wait. */
  sync(): void {
    if (!this.#place || this.#busy || this.editor.composing) return
    if (this.#fresh) {
      if (this.editor.text === "") return
      this.#fresh = false
      this.editor.replace(this.#shared + this.editor.text)
    }
    const now = this.#text
    const typed = this.editor.text
    const merged = both(this.#shared, typed, now)
    if (now !== this.#shared) this.#record()
    this.#shared = merged
    if (merged !== now) {
      this.#busy = true
      this.table.set([{ ...this.#place, value: merged === "" ? null : merged }])
      this.#busy = false
      this.#mine = { before: this.#mine ? this.#mine.before : now || null, after: merged || null }
    }
    if (merged !== typed) this.#show(typed, merged)
  }

  get #text(): string {
    const value = this.#place && this.table.get(this.#place.row, this.#place.column)
    return typeof value === "string" ? value : ""
  }

  /** The caret stays between the letters it stood between. */
  #show(typed: string, merged: string): void {
    const { selectionStart, selectionEnd, scrollTop } = this.editor.element
    const change = difference(typed, merged)
    this.editor.replace(merged)
    this.editor.element.setSelectionRange(moved(selectionStart, change), moved(selectionEnd, change))
    this.editor.element.scrollTop = scrollTop
  }

  #record(): void {
    if (this.#mine && this.#place) this.undoing.record({ cells: [{ ...this.#place, ...this.#mine }] })
    this.#mine = null
  }
}

/** Two texts that come from the same one, as one. Where both changed the same letters, both versions stand. */
export function both(shared: string, mine: string, theirs: string): string {
  const merged = rebaseText(shared, mine, theirs)
  if (merged !== undefined) return merged
  const their = difference(shared, theirs)
  const at = their.at + their.inserted.length
  return theirs.slice(0, at) + difference(shared, mine).inserted + theirs.slice(at)
}
