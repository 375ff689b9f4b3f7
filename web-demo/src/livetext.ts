// A long text while it is open: every letter is written at once and everybody else's appear between them.

import type { Editor } from "./editor"
import { difference, moved, rebaseText } from "./merge"
import type { Place } from "./presence"
import type { Table, Version } from "./table"
import type { Undo } from "./undo"
import type { Value } from "./values"

export class LiveText {
  #place: Place | null = null
  /** What the document and the text field had in common last. */
  #shared = ""
  /** The version of the document that was. */
  #heads: Version | undefined
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
    this.#heads = this.table.handle.heads()
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
    if (now !== this.#shared) this.#record()
    if (typed !== this.#shared) this.#write(typed, now)
    this.#shared = this.#text
    this.#heads = this.table.handle.heads()
    if (this.#shared !== typed) this.#show(typed, this.#shared)
  }

  #write(typed: string, now: string): void {
    const place = this.#place!
    const merged = rebaseText(this.#shared, typed, now)
    this.#busy = true
    if (merged !== undefined) this.table.set([{ ...place, value: merged === "" ? null : merged }])
    // An input method held back what I typed while others wrote around it: their letters and mine are put in order by
    // the document, from the version that the text field last showed.
    else this.table.set([{ ...place, value: typed === "" ? null : typed }], this.#heads)
    this.#busy = false
    this.#mine = { before: this.#mine ? this.#mine.before : now || null, after: this.#text || null }
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
