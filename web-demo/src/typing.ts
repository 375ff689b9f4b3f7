// The life of an edit: a cell is opened, typed into, kept or given up. It belongs to a cell by id, since rows may move.

import { Editor, type Mode } from "./editor"
import type { Grid } from "./grid"
import type { Place, Presence } from "./presence"
import type { Sheet } from "./sheet"
import { toast } from "./toast"
import { show } from "./values"

export class Typing {
  readonly editor: Editor
  #place: Place | null = null

  constructor(
    private readonly sheet: Sheet,
    private readonly grid: Grid,
    private readonly presence: Presence,
  ) {
    this.editor = new Editor(grid, {
      begins: () => this.#begin(),
      typed: text => this.#place && this.presence.setTyping({ ...this.#place, text }),
    })
  }

  get mode(): Mode {
    return this.editor.mode
  }

  /** Opens the active cell to correct what is in it; a checkbox has nothing to correct and is turned over. */
  open(): void {
    const { selection, table } = this.sheet
    if (table.cols()[selection.active.col]?.kind === "checkbox") this.sheet.toggle()
    else if (this.#begin()) this.editor.open(show(this.sheet.value(selection.active)))
  }

  /** Keeps what was typed, if anything is open. */
  commit(): void {
    if (!this.#place) return
    const { row, column } = this.#place
    const { table } = this.sheet
    this.sheet.type(row, column, this.editor.text)
    if (table.isDeleted(row)) {
      toast("Somebody deleted this row while you typed. What you wrote is kept in it.", {
        label: "Bring the row back",
        run: () => table.restoreRows([row]),
      })
    }
    this.cancel()
  }

  cancel(): void {
    this.#place = null
    this.editor.close()
    this.presence.setTyping(null)
    this.follow()
  }

  /** Puts the text field over its cell: the one being typed into, else the active one. */
  follow(): void {
    const { selection, table } = this.sheet
    const open = this.#place
    const at = open ? { row: table.rowIndex(open.row), col: table.columnIndex(open.column) } : selection.active
    const column = table.cols()[at.col]
    if (at.row < 0 || !column) return
    const label = `${column.name}, row ${at.row + 1}: ${show(this.sheet.value(at)) || "empty"}`
    this.editor.placeAt(at, label, column.kind === "number")
  }

  #begin(): boolean {
    const { selection } = this.sheet
    this.#place = this.sheet.canWrite(selection.active.col) ? this.sheet.placeOf(selection.active) : null
    if (this.#place) this.grid.reveal(selection.active)
    return this.#place !== null
  }
}
