// What one can do with the table: edit, clear, paste, fill, add and delete rows, undo. Every deed here is one undo step.

import { pasted, toTsv } from "./clipboard"
import { rebase } from "./merge"
import type { Column, Edit } from "./model"
import type { Place } from "./presence"
import type { Selection, Spot } from "./selection"
import type { Table } from "./table"
import type { Undo } from "./undo"
import { fits, isWritable, parse, same, show, type Value } from "./values"

/** What was meant for a cell but is no value of its column. It is not written; whoever wrote it is told. */
export interface Refused {
  row: string
  column: Column
  text: string
}

export class Sheet {
  constructor(
    readonly table: Table,
    readonly selection: Selection,
    readonly undoing: Undo,
    private readonly refuse: (refused: readonly Refused[], deed: "type" | "paste" | "fill") => void = () => {},
  ) {}

  value({ row, col }: Spot): Value {
    const id = this.table.rows()[row]
    const column = this.table.cols()[col]
    return id !== undefined && column ? this.table.get(id, column.id) : null
  }

  /** A cell by name, for what must survive that rows move: an open editor, a cursor shown to others. */
  placeOf({ row, col }: Spot): Place | null {
    const id = this.table.rows()[row]
    const column = this.table.cols()[col]?.id
    return id !== undefined && column !== undefined ? { row: id, column } : null
  }

  canWrite(col: number): boolean {
    const column = this.table.cols()[col]
    return column !== undefined && isWritable(column.kind) && this.table.rows().length > 0
  }

  /** Writes what was typed into one cell, found by id: the row may have moved while the editor was open. */
  type(row: string, column: string, text: string, from: Value): void {
    const shape = this.table.column(column)
    if (!shape || !isWritable(shape.kind)) return
    // What was in the cell and does not fit is kept when it was only looked at.
    if (show(from, shape) === text) return
    const value = parse(shape.kind, text, shape.options)
    if (value === undefined) return this.refuse([{ row, column: shape, text }], "type")
    // Of what merges only my step is written: an id that somebody added meanwhile stays.
    const now = this.table.get(row, column)
    this.#apply([{ row, column, value: rebase(shape.kind, from, value, now, !same(now, from)) ?? value }])
  }

  /** Writes values as they are, as one step. */
  write(edits: readonly Edit[]): void {
    this.#apply(edits)
  }

  /** Writes texts as if they were pasted into these cells. */
  writeTexts(cells: readonly { row: string; column: string; text: string }[]): void {
    const edits: Edit[] = []
    for (const { row, column, text } of cells) {
      const shape = this.table.column(column)
      const value = shape && parse(shape.kind, text, shape.options)
      if (value !== undefined) edits.push({ row, column, value })
    }
    this.#apply(edits)
  }

  /** Moves the active cell of a counter column by one. False: it is none. */
  step(by: 1 | -1): boolean {
    const column = this.table.cols()[this.selection.active.col]
    const place = this.placeOf(this.selection.active)
    if (column?.kind !== "counter" || !place) return false
    const value = this.table.get(place.row, place.column)
    if (value === null || fits(column, value)) this.#apply([{ ...place, value: Number(value ?? 0) + by }])
    return true
  }

  clear(): void {
    this.#fill(() => null)
  }

  toggle(): void {
    const on = this.value(this.selection.active) !== true
    this.#fill(({ col }) => (this.table.cols()[col]?.kind === "checkbox" ? on : undefined))
  }

  fillDown(): void {
    const { top } = this.selection.range
    this.#fillFrom(({ row, col }) => (row === top ? undefined : { row: top, col }))
  }

  fillRight(): void {
    const { left } = this.selection.range
    this.#fillFrom(({ row, col }) => (col === left ? undefined : { row, col: left }))
  }

  copy(data: DataTransfer): void {
    const { rows, columns } = this.selection.ids()
    const shapes = columns.map(column => this.table.column(column))
    const text = (row: string, i: number) => show(this.table.get(row, columns[i]!), shapes[i])
    data.setData("text/plain", toTsv(rows.map(row => columns.map((_, i) => text(row, i)))))
  }

  /**
   * Pastes from the top-left corner of the selection, adding rows where the table ends. A selection that is a whole
   * number of times as large as what is pasted is filled with it: one cell fills everything selected.
   */
  paste(data: DataTransfer): void {
    const block = pasted(data)
    const height = block.length
    const width = Math.max(0, ...block.map(row => row.length))
    if (height === 0 || width === 0) return
    const { top, left, bottom, right } = this.selection.range
    const times = (selected: number, size: number) => (selected % size === 0 ? selected / size : 1)
    const tall = height * times(bottom - top + 1, height)
    const wide = Math.min(width * times(right - left + 1, width), this.table.cols().length - left)
    const missing = top + tall - this.table.rows().length
    const inserted = missing > 0 ? this.table.insertRows(this.table.rows().length - 1, missing) : []
    const edits: Edit[] = []
    const refused: Refused[] = []
    for (let r = 0; r < tall; r++) {
      for (let c = 0; c < wide; c++) {
        const column = this.table.cols()[left + c]!
        const row = this.table.rows()[top + r]!
        const text = block[r % height]![c % width] ?? ""
        const value = parse(column.kind, text, column.options)
        if (value === undefined) refused.push({ row, column, text })
        else if (isWritable(column.kind)) edits.push({ row, column: column.id, value })
      }
    }
    this.#apply(edits, inserted)
    this.selection.selectBlock({ row: top, col: left }, { row: top + tall - 1, col: left + wide - 1 }, "first")
    if (refused.length > 0) this.refuse(refused, "paste")
  }

  /** Adds as many rows as are selected, below or above them, and selects the first. */
  addRows(where: "below" | "above"): void {
    const { top, bottom, left } = this.selection.range
    const empty = this.table.rows().length === 0
    const after = empty ? -1 : where === "below" ? bottom : top - 1
    const inserted = this.table.insertRows(after, empty ? 1 : bottom - top + 1)
    this.undoing.record({ inserted })
    this.selection.selectBlock({ row: after + 1, col: left }, { row: after + inserted.length, col: left }, "first")
  }

  deleteRows(): void {
    const { rows } = this.selection.ids()
    const { top, left } = this.selection.range
    this.table.deleteRows(rows)
    this.undoing.record({ deleted: [...rows] })
    this.selection.select({ row: top, col: left })
  }

  undo(): void {
    this.#show(this.undoing.undo())
  }

  redo(): void {
    this.#show(this.undoing.redo())
  }

  /** Writes into every selected cell that `value` answers for; `undefined` leaves a cell alone. */
  #fill(value: (spot: Spot) => Value | undefined): void {
    const { top, left, bottom, right } = this.selection.range
    const edits: Edit[] = []
    for (let row = top; row <= bottom; row++) {
      for (let col = left; col <= right; col++) {
        const filled = value({ row, col })
        const id = this.table.rows()[row]
        if (filled !== undefined && id !== undefined && this.canWrite(col)) {
          edits.push({ row: id, column: this.table.cols()[col]!.id, value: filled })
        }
      }
    }
    this.#apply(edits)
  }

  /** Fills with what another cell holds: of the same column as it is, of another as if it were pasted. */
  #fillFrom(source: (spot: Spot) => Spot | undefined): void {
    const refused: Refused[] = []
    this.#fill(spot => {
      const from = source(spot)
      const [column, origin] = [this.table.cols()[spot.col], this.table.cols()[from?.col ?? -1]]
      const place = this.placeOf(spot)
      if (!from || !column || !origin || !place || !isWritable(column.kind)) return undefined
      const value = this.value(from)
      const filled = column === origin && fits(column, value) ? value : parse(column.kind, show(value, origin), column.options)
      if (filled === undefined) refused.push({ row: place.row, column, text: show(value, origin) })
      return filled
    })
    if (refused.length > 0) this.refuse(refused, "fill")
  }

  #apply(edits: readonly Edit[], inserted: string[] = []): void {
    const cells = edits
      .map(edit => ({ ...edit, before: this.table.get(edit.row, edit.column), after: edit.value }))
      .filter(cell => !same(cell.before, cell.after))
    this.table.set(cells)
    this.undoing.record({ cells: cells.map(({ row, column, before, after }) => ({ row, column, before, after })), inserted })
  }

  #show(cells: { row: string; column: string }[] | null): void {
    if (!cells || cells.length === 0) return
    const rows = cells.map(cell => this.table.rowIndex(cell.row)).filter(index => index >= 0)
    const cols = cells.map(cell => this.table.columnIndex(cell.column)).filter(index => index >= 0)
    if (rows.length === 0 || cols.length === 0) return
    // Not Math.min(...rows): a paste of 100,000 cells has more than a call takes arguments.
    const least = (list: number[]) => list.reduce((a, b) => Math.min(a, b))
    const most = (list: number[]) => list.reduce((a, b) => Math.max(a, b))
    this.selection.selectBlock({ row: least(rows), col: least(cols) }, { row: most(rows), col: most(cols) }, "first")
  }
}
