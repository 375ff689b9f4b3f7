// Undo and redo of one's own edits: a step takes back what I did, never what somebody else did since.

import type { Table } from "./table"
import type { Value } from "./values"

interface CellEdit {
  row: string
  column: string
  before: Value
  after: Value
}

export interface Step {
  cells: CellEdit[]
  inserted: string[]
  deleted: string[]
}

type Recorded = Step & { at: number }

/** A long afternoon of typing; past it the oldest steps are forgotten. */
const MAX_STEPS = 200

export class Undo {
  #done: Recorded[] = []
  #undone: Recorded[] = []
  /** When somebody else last wrote a cell (or into a row), on the same counter as the steps. */
  #touched = new Map<string, number>()
  #now = 0

  constructor(private readonly table: Table) {
    table.subscribe(change => {
      if (!change.remote) return
      this.#now++
      for (const { row, column } of change.cells) {
        this.#touched.set(`${row} ${column}`, this.#now)
        this.#touched.set(row, this.#now)
      }
    })
  }

  get canUndo(): boolean {
    return this.#done.length > 0
  }

  get canRedo(): boolean {
    return this.#undone.length > 0
  }

  /** Remembers what was just done. One call is one step, however many changes it took. */
  record(step: Partial<Step>): void {
    const { cells = [], inserted = [], deleted = [] } = step
    if (cells.length + inserted.length + deleted.length === 0) return
    this.#done.push({ cells, inserted, deleted, at: this.#now })
    if (this.#done.length > MAX_STEPS) this.#done.shift()
    this.#undone = []
  }

  /** Takes the last step back. Returns the cells it wrote, for the selection to go there; null when there was nothing. */
  undo(): { row: string; column: string }[] | null {
    const step = this.#done.pop()
    if (!step) return null
    this.#undone.push(step)
    this.table.restoreRows(step.deleted)
    const cells = this.#write(step, "after", "before")
    // A row that I added and somebody has filled since is no longer mine to take away.
    this.table.deleteRows(step.inserted.filter(row => !this.#touchedSince(step, row)))
    return cells
  }

  redo(): { row: string; column: string }[] | null {
    const step = this.#undone.pop()
    if (!step) return null
    this.#done.push(step)
    this.table.restoreRows(step.inserted)
    const cells = this.#write(step, "before", "after")
    this.table.deleteRows(step.deleted)
    return cells
  }

  #touchedSince(step: Recorded, key: string): boolean {
    return (this.#touched.get(key) ?? -1) > step.at
  }

  #write(step: Recorded, from: "before" | "after", to: "before" | "after"): { row: string; column: string }[] {
    const mine = step.cells.filter(
      cell =>
        !this.#touchedSince(step, `${cell.row} ${cell.column}`) &&
        !this.table.isDeleted(cell.row) &&
        this.table.get(cell.row, cell.column) === cell[from],
    )
    this.table.set(mine.map(cell => ({ row: cell.row, column: cell.column, value: cell[to] })))
    return mine
  }
}
