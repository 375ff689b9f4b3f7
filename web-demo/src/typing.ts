// The life of an edit: a cell is opened, typed into, kept or given up. It belongs to a cell by id, since rows may move.

import { openCalendar } from "./calendar"
import { hasOptions, type Columns } from "./columns"
import { Editor, type Mode } from "./editor"
import type { Grid } from "./grid"
import { LiveText } from "./livetext"
import type { Column } from "./model"
import { Picker } from "./picker"
import type { Place, Presence } from "./presence"
import type { Sheet } from "./sheet"
import { toast } from "./toast"
import { expects, fits, show, type Value } from "./values"

export class Typing {
  readonly editor: Editor
  #place: Place | null = null
  /** What the cell held when it was opened: what is typed is a step from there. */
  #from: Value = null
  #picker: Picker
  #live: LiveText

  constructor(
    private readonly sheet: Sheet,
    private readonly grid: Grid,
    private readonly presence: Presence,
    columns: Columns,
    editOptions: (column: string) => void,
  ) {
    this.editor = new Editor(grid, { begins: () => this.#begin("typing"), typed: text => this.#typed(text) })
    this.#picker = new Picker({ sheet, columns, editor: this.editor, done: () => this.cancel(), editOptions })
    this.#live = new LiveText(sheet.table, sheet.undoing, this.editor)
  }

  get mode(): Mode {
    return this.editor.mode
  }

  /** Opens the active cell to correct what is in it, or another text; a checkbox is turned over. */
  open(text?: string): void {
    const column = this.#column
    if (column?.kind === "checkbox" && text === undefined) return this.sheet.toggle()
    if (!column || !this.#begin("opening")) return
    this.editor.open(this.#picker.isOpen ? "" : (text ?? show(this.sheet.value(this.sheet.selection.active), column)))
    this.#picker.filter()
    this.follow()
  }

  /** Goes to a cell and opens it with a text, if it is still there. */
  openAt(row: string, column: string, text: string): void {
    const { selection, table } = this.sheet
    const spot = { row: table.rowIndex(row), col: table.columnIndex(column) }
    if (spot.row < 0 || spot.col < 0) return
    this.commit()
    selection.select(spot)
    this.open(text)
  }

  /** Keeps what was typed, if anything is open. */
  commit(): void {
    if (!this.#place) return
    const { row, column } = this.#place
    const { table } = this.sheet
    if (this.#picker.isOpen) this.#picker.settle()
    else if (this.#live.isOpen) this.#live.close()
    else this.sheet.type(row, column, this.editor.text, this.#from)
    const gone = table.isDeleted(row) ? "row" : table.isColumnDeleted(column) ? "column" : null
    if (gone) {
      toast(`Somebody deleted this ${gone} while you typed. What you wrote is kept in it.`, {
        label: `Bring the ${gone} back`,
        run: () => (gone === "row" ? table.restoreRows([row]) : table.restoreColumns([column])),
      })
    }
    this.cancel()
  }

  /** A long text has been written letter by letter; there is nothing to give up, and undo takes it back. */
  cancel(): void {
    this.#place = null
    this.#picker.close()
    this.#live.close()
    this.editor.close()
    this.presence.setTyping(null)
    this.follow()
  }

  key(event: KeyboardEvent): boolean | null {
    if (this.#picker.isOpen) return this.#picker.key(event)
    if (!this.#live.isOpen) return null
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return this.#live.key(event)
    this.commit()
    return true
  }

  /** Alt+Up and Alt+Down: a counter's step, a date's calendar, a select's list. False: the cell has none of these. */
  nudge(by: 1 | -1): boolean {
    if (this.sheet.step(by)) return true
    const column = this.#column
    if (column?.kind === "date") this.openCalendar()
    else if (column && hasOptions(column.kind)) this.open()
    else return false
    return true
  }

  openCalendar(): void {
    const { selection } = this.sheet
    const place = this.sheet.placeOf(selection.active)
    const value = this.sheet.value(selection.active)
    if (!place) return
    this.commit()
    const { row, col } = selection.active
    const box = this.grid.box({ top: row, bottom: row, left: col, right: col })
    const origin = this.grid.overlay.getBoundingClientRect()
    const [day, time = ""] = typeof value === "string" ? [value.slice(0, 10), value.slice(10)] : [""]
    openCalendar(
      { ...box, left: origin.left + box.left, top: origin.top + box.top },
      day,
      // Another day at the same time of day.
      chosen => this.sheet.writeTexts([{ ...place, text: chosen === "" ? "" : chosen + time }]),
      () => this.editor.focus(),
    )
  }

  /** Puts the text field over its cell: the one being typed into, else the active one. */
  follow(): void {
    const { selection, table } = this.sheet
    const open = this.#place
    const at = open ? { row: table.rowIndex(open.row), col: table.columnIndex(open.column) } : selection.active
    const column = table.cols()[at.col]
    if (at.row < 0 || !column) return
    const value = this.sheet.value(at)
    const odd = fits(column, value) ? "" : `, not ${expects(column.kind)}`
    const label = `${column.name}, row ${at.row + 1}: ${show(value, column) || "empty"}${odd}`
    this.editor.placeAt(at, label, column.kind === "number" || column.kind === "counter")
  }

  get #column(): Column | undefined {
    return this.sheet.table.cols()[this.sheet.selection.active.col]
  }

  #typed(text: string): void {
    if (!this.#place) return
    this.#picker.filter()
    this.#live.sync()
    this.presence.setTyping({ ...this.#place, text: this.#live.isOpen ? this.editor.text : text })
  }

  #begin(by: "typing" | "opening"): boolean {
    const { selection } = this.sheet
    const place = this.sheet.canWrite(selection.active.col) ? this.sheet.placeOf(selection.active) : null
    this.#place = place
    if (!place) return false
    this.#from = this.sheet.value(selection.active)
    this.grid.reveal(selection.active)
    if (hasOptions(this.#column!.kind)) this.#picker.open(place)
    else if (this.#live.takes(place)) this.#live.open(place, by)
    return true
  }
}
