// Which cells are selected: an active cell, and the far corner of the range around it. Synchronous, in indices.

import type { Model } from "./model"

export interface Spot {
  row: number
  col: number
}

export interface Range {
  top: number
  left: number
  bottom: number
  right: number
}

export class Selection {
  active: Spot = { row: 0, col: 0 }
  /** The corner that Shift moves; equal to `active` when one cell is selected. */
  end: Spot = { row: 0, col: 0 }
  /** The cell that must be in sight after the last change; null when the view shall stay where it is. */
  lead: Spot | null = null
  #listeners = new Set<() => void>()
  #ids: { active: string[]; end: string[] } = { active: [], end: [] }

  constructor(private readonly model: Model) {
    this.#remember()
    model.subscribe(change => change.structure && this.#follow())
  }

  subscribe(listener: () => void): void {
    this.#listeners.add(listener)
  }

  get range(): Range {
    return {
      top: Math.min(this.active.row, this.end.row),
      bottom: Math.max(this.active.row, this.end.row),
      left: Math.min(this.active.col, this.end.col),
      right: Math.max(this.active.col, this.end.col),
    }
  }

  get isSingle(): boolean {
    return this.active.row === this.end.row && this.active.col === this.end.col
  }

  select(active: Spot, end: Spot = active): void {
    this.#set(active, end)
    this.lead = this.end
    this.#tell()
  }

  /** Selects a range that may be larger than the view, which then stays with the range's first cell, or where it is. */
  selectBlock(active: Spot, end: Spot, look: "stay" | "first"): void {
    this.#set(active, end)
    this.lead = look === "first" ? this.active : null
    this.#tell()
  }

  #set(active: Spot, end: Spot): void {
    this.active = this.#clamp(active)
    this.end = this.#clamp(end)
    this.#remember()
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }

  move(rows: number, cols: number): void {
    this.select({ row: this.active.row + rows, col: this.active.col + cols })
  }

  extend(rows: number, cols: number): void {
    this.select(this.active, { row: this.end.row + rows, col: this.end.col + cols })
  }

  extendTo(end: Spot): void {
    this.select(this.active, end)
  }

  selectAll(): void {
    this.selectBlock({ row: 0, col: 0 }, { row: Infinity, col: Infinity }, "stay")
  }

  /** The selected row and column ids, top-left first. */
  ids(): { rows: readonly string[]; columns: string[] } {
    const { top, left, bottom, right } = this.range
    return {
      rows: this.model.rows().slice(top, bottom + 1),
      columns: this.model
        .cols()
        .slice(left, right + 1)
        .map(column => column.id),
    }
  }

  /**
   * Where Ctrl+arrow goes from `from`: over filled cells to the last one before a gap, or over a gap to the next filled
   * one, or to the edge of the table.
   */
  edge(from: Spot, rows: number, cols: number): Spot {
    const filled = (spot: Spot) => this.#value(spot) !== null
    const inside = ({ row, col }: Spot) =>
      row >= 0 && col >= 0 && row < this.model.rows().length && col < this.model.cols().length
    const step = (spot: Spot) => ({ row: spot.row + rows, col: spot.col + cols })
    let at = from
    const overFilled = filled(at) && inside(step(at)) && filled(step(at))
    while (inside(step(at))) {
      if (overFilled && !filled(step(at))) break
      at = step(at)
      if (!overFilled && filled(at)) break
    }
    return at
  }

  #value({ row, col }: Spot): unknown {
    const rowId = this.model.rows()[row]
    const column = this.model.cols()[col]
    return rowId === undefined || !column ? null : this.model.get(rowId, column.id)
  }

  #clamp({ row, col }: Spot): Spot {
    return {
      row: Math.max(0, Math.min(row, this.model.rows().length - 1)),
      col: Math.max(0, Math.min(col, this.model.cols().length - 1)),
    }
  }

  #remember(): void {
    const ids = ({ row, col }: Spot) => [this.model.rows()[row] ?? "", this.model.cols()[col]?.id ?? ""]
    this.#ids = { active: ids(this.active), end: ids(this.end) }
  }

  /** After rows or columns came or went, the selection stays on the same cells, not on the same numbers. */
  #follow(): void {
    const spot = ([row, column]: string[], was: Spot): Spot => {
      const at = { row: this.model.rowIndex(row ?? ""), col: this.model.columnIndex(column ?? "") }
      return { row: at.row < 0 ? was.row : at.row, col: at.col < 0 ? was.col : at.col }
    }
    this.selectBlock(spot(this.#ids.active, this.active), spot(this.#ids.end, this.end), "stay")
  }
}
