// Counts, sums and the like over the rows of a view or of a group.

import { compareKeys, toJson, type Reading, type SortKey } from "./view-cells"
import type { AggregateOp, Json } from "./view"

export interface Cell {
  reading: Reading
  key: SortKey
}

export interface Summed {
  readonly cells: readonly Cell[]
}

/**
 * The aggregate of some cells of one column, those at `at` of their rows: a number, a date for the least and greatest of dates, null where there is
 * nothing to take it of. Empty cells and those that do not fit their column count as rows only.
 */
export function aggregate(op: AggregateOp, rows: readonly Summed[], at: number): Json {
  switch (op) {
    case "count":
      return rows.length
    case "countFilled":
      return rows.reduce((count, { cells }) => count + (cells[at]!.reading.is === "empty" ? 0 : 1), 0)
    case "sum":
      return add(rows, at).sum
    case "average": {
      const { sum, count } = add(rows, at)
      return count === 0 ? null : sum / count
    }
    case "min":
      return extreme(rows, at, false)
    case "max":
      return extreme(rows, at, true)
  }
}

/**
 * Whole numbers are added exactly, in large ones once they leave what a number holds; the others with the error carried
 * along (Neumaier), so that 0.1 ten times is 1.
 */
function add(rows: readonly Summed[], at: number): { sum: number; count: number } {
  let large = 0n
  let whole = 0
  let total = 0
  let error = 0
  let count = 0
  for (const { cells } of rows) {
    const { reading } = cells[at]!
    if (reading.is !== "number") continue
    const { number } = reading
    count++
    if (Number.isSafeInteger(number)) {
      const next = whole + number
      if (Number.isSafeInteger(next)) whole = next
      else {
        large += BigInt(whole) + BigInt(number)
        whole = 0
      }
    } else {
      const next = total + number
      error += Math.abs(total) >= Math.abs(number) ? total - next + number : number - next + total
      total = next
    }
  }
  const all = large === 0n ? whole : Number(large + BigInt(whole))
  return { sum: all + (total + error), count }
}

function extreme(rows: readonly Summed[], at: number, greatest: boolean): Json {
  let best: Cell | null = null
  for (const { cells } of rows) {
    const cell = cells[at]!
    if (cell.reading.is === "empty" || cell.reading.is === "mismatch") continue
    if (!best || compareKeys(cell.key, best.key, greatest) < 0) best = cell
  }
  return best ? toJson(best.reading) : null
}
