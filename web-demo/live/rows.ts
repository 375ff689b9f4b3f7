// The rows that this window holds, and what changes make of them. No page, no socket: values in, values out.
//
// Rows are replaced, never changed, so that who paints them sees by identity which ones differ.

import type { Change, Edit, Row } from "./protocol"

export interface Held {
  /** Where the first row stands among all rows of the table or view. */
  offset: number
  rows: readonly Row[]
  /** Of the whole table or view. */
  count: number
}

/** Follows the server. Entries come in the order in which they are to be applied; one that is applied twice does no harm. */
export function apply({ offset, rows: before, count: was }: Held, changes: readonly Change[], count = was): Held {
  const rows = [...before]
  for (const { type, recordId, changes: cells = [], index } of changes) {
    const at = rows.findIndex(row => row.id === recordId)
    if (type === "update") {
      if (rows[at]) rows[at] = write(rows[at], cells)
      continue
    }
    if (at >= 0) rows.splice(at, 1)
    const to = index! - offset // NaN when it has none
    if (to >= 0 && to <= rows.length) rows.splice(to, 0, write({ id: recordId, cells: {} }, cells))
  }
  return { offset, rows, count }
}

function write(row: Row, changes: NonNullable<Change["changes"]>): Row {
  const cells = { ...row.cells }
  const marked = { ...row.marked }
  for (const { fieldId, newValue, marked: expected = "" } of changes) {
    cells[fieldId] = newValue
    marked[fieldId] = expected
  }
  return { id: row.id, cells, marked }
}

/** The rows as they will be once the server has taken these edits: what a person sees who has just made them. */
export function preview(held: Held, edits: readonly Edit[]): Held {
  for (const { type, recordId, changes, at } of edits) {
    const find = (id?: string) => held.rows.findIndex(row => row.id === id)
    const isNew = type === "create"
    const behind = find(at?.after)
    // A new row stands behind the one it was added to, or at the end.
    const index = isNew ? (behind < 0 ? held.count : held.offset + behind + 1) : undefined
    // What the rows show already, or do not have, is not to be done.
    if (isNew === find(recordId) < 0)
      held = apply(held, [{ type, recordId, changes, index }], held.count + (isNew ? 1 : type === "delete" ? -1 : 0))
  }
  return held
}

export const LIMIT = 150
const STEP = 50
const MARGIN = 10

/**
 * The window to ask for, by its first row, when the rows from `first` to `last` are on the screen; `offset` as long as it
 * will do. In steps, so that many who look at the same rows have the same window, for which the server works once.
 */
export function windowFor(first: number, last: number, offset: number): number {
  const isNear = (offset === 0 || first >= offset + MARGIN) && last < offset + LIMIT - MARGIN
  return isNear ? offset : Math.max(0, Math.round(((first + last) / 2 - LIMIT / 2) / STEP) * STEP)
}
