// Undo and redo of one's own edits: a step takes back what I did, never what somebody else did since.

import { samePlain, type ColumnEdit } from "./columndoc"
import { rebase } from "./merge"
import type { Edit } from "./model"
import type { Table } from "./table"
import type { Value } from "./values"

export interface CellEdit {
  row: string
  column: string
  before: Value
  after: Value
}

export interface Step {
  cells: CellEdit[]
  inserted: string[]
  deleted: string[]
  columns: ColumnEdit[]
  insertedColumns: string[]
  deletedColumns: string[]
}

type Recorded = Step & { at: number }

/** A long afternoon of typing; past it the oldest steps are forgotten. */
const MAX_STEPS = 200

const EMPTY: Step = { cells: [], inserted: [], deleted: [], columns: [], insertedColumns: [], deletedColumns: [] }

export class Undo {
  #done: Recorded[] = []
  #undone: Recorded[] = []
  /** When somebody else last wrote a cell (or into a row or column), on the same counter as the steps. */
  #touched = new Map<string, number>()
  #now = 0
  #listeners = new Set<() => void>()

  constructor(private readonly table: Table) {
    table.subscribe(change => {
      if (!change.remote) return
      this.#now++
      for (const { row, column } of change.cells) {
        for (const key of [`${row} ${column}`, row, column]) this.#touched.set(key, this.#now)
      }
    })
  }

  get canUndo(): boolean {
    return this.#done.length > 0
  }

  get canRedo(): boolean {
    return this.#undone.length > 0
  }

  /** Tells when there is something to undo or redo, or nothing any more. */
  subscribe(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** Remembers what was just done. One call is one step, however many changes it took. */
  record(done: Partial<Step>): void {
    const step = { ...EMPTY, ...done }
    if (Object.values(step).every(list => list.length === 0)) return
    this.#done.push({ ...step, at: this.#now })
    if (this.#done.length > MAX_STEPS) this.#done.shift()
    this.#undone = []
    this.#tell()
  }

  /** Takes the last step back. Returns the cells it wrote, for the selection to go there; null when there was nothing. */
  undo(): { row: string; column: string }[] | null {
    const step = this.#done.pop()
    if (!step) return null
    this.#undone.push(step)
    this.table.restoreColumns(step.deletedColumns)
    this.table.restoreRows(step.deleted)
    this.#writeColumns(step, "after", "before")
    const cells = this.#write(step, "after", "before")
    // A row or column that I added and somebody has filled since is no longer mine to take away.
    this.table.deleteRows(step.inserted.filter(row => !this.#touchedSince(step, row)))
    this.table.deleteColumns(step.insertedColumns.filter(column => !this.#touchedSince(step, column)))
    this.#tell()
    return cells
  }

  redo(): { row: string; column: string }[] | null {
    const step = this.#undone.pop()
    if (!step) return null
    this.#done.push(step)
    this.table.restoreColumns(step.insertedColumns)
    this.table.restoreRows(step.inserted)
    this.#writeColumns(step, "before", "after")
    const cells = this.#write(step, "before", "after")
    this.table.deleteRows(step.deleted)
    this.table.deleteColumns(step.deletedColumns)
    this.#tell()
    return cells
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }

  #touchedSince(step: Recorded, key: string): boolean {
    return (this.#touched.get(key) ?? -1) > step.at
  }

  /** A property that is not what I left it at has been changed by somebody else since, and stays. */
  #writeColumns(step: Recorded, from: "before" | "after", to: "before" | "after"): void {
    const mine = step.columns.filter(edit => samePlain(this.table.columnProperty(edit.column, edit.path), edit[from]))
    this.table.setColumnProperties(mine.map(({ column, path, ...values }) => ({ column, path, after: values[to] })))
  }

  #write(step: Recorded, from: "before" | "after", to: "before" | "after"): { row: string; column: string }[] {
    const mine: Edit[] = []
    for (const cell of step.cells) {
      const { row, column } = cell
      if (this.table.isDeleted(row)) continue
      const kind = this.table.column(column)?.kind
      const touched = this.#touchedSince(step, `${row} ${column}`)
      const value = rebase(kind, cell[from], cell[to], this.table.get(row, column), touched)
      if (value !== undefined) mine.push({ row, column, value })
    }
    this.table.set(mine)
    return mine.map(({ row, column }) => ({ row, column }))
  }
}
