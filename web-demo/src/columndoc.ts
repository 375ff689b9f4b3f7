// Columns in the document: read leniently, changed one property at a time.

import type { Column } from "./model"
import { readOptions } from "./options"
import { byOrder, type Placed } from "./order"
import type { ColumnDoc, Kind } from "./schema"
import { plain, scalar } from "./text"

/** A column that somebody deleted; it can be restored until the server purges it. */
export interface DeletedColumn {
  column: Column
  by: string
  /** Milliseconds since 1970, 0 when the mark does not say. */
  at: number
}

export interface ColumnList {
  /** Sorted, deleted ones among them. */
  placed: Placed[]
  live: Column[]
  deleted: DeletedColumn[]
}

/** Anything but `false` and nothing is a mark: a later version may write its marks in another way. */
export const isMarked = (deleted: unknown): boolean => deleted !== undefined && deleted !== null && deleted !== false

const DEFAULT_WIDTHS: Partial<Record<Kind, number>> = { number: 110, counter: 110, date: 120, checkbox: 96, longtext: 240 }

/** Wide enough for the kind and, roughly, for the name above it with the sign of its kind and the menu. */
function defaultWidth(kind: Kind, name: string): number {
  return Math.max(DEFAULT_WIDTHS[kind] ?? 160, Math.min(280, name.length * 8 + 48))
}

export function readColumns(columns: Record<string, ColumnDoc> | undefined): ColumnList {
  const found = Object.entries(columns ?? {})
    // Whoever has the address may write anything into the document; what is no column is not shown.
    .filter(([id, column]) => id.startsWith("c") && typeof column === "object" && column !== null)
    .map(([id, doc]) => ({ id, order: plain(doc.order), doc }))
    .sort(byOrder)
  const live: Column[] = []
  const deleted: DeletedColumn[] = []
  for (const { id, doc } of found) {
    const column = readColumn(id, doc)
    if (!isMarked(doc.deleted)) live.push(column)
    else deleted.push({ column, by: plain(doc.deleted?.by), at: Number(doc.deleted?.at) || 0 })
  }
  return { placed: found.map(({ id, order }) => ({ id, order })), live, deleted }
}

function readColumn(id: string, doc: ColumnDoc): Column {
  const kind = (plain(doc.kind) || "text") as Kind
  const name = plain(doc.name)
  const width = typeof doc.width === "number" && doc.width > 0 ? doc.width : defaultWidth(kind, name)
  return { id, name, kind, width, options: readOptions(doc.options) }
}

/** What stands at a place in a column, as plain data; undefined when there is nothing. */
export type Plain = string | number | { name: string; order: string; color?: string } | undefined

/** One property of a column, before and after; the path goes from the column's map on. */
export interface ColumnEdit {
  column: string
  path: readonly string[]
  before: Plain
  after: Plain
}

type Doc = Record<string, unknown>

export function lookUp(column: ColumnDoc | undefined, path: readonly string[]): Plain {
  let at: unknown = column
  for (const key of path) at = typeof at === "object" && at !== null ? (at as Doc)[key] : undefined
  if (at === undefined || at === null || typeof at === "number" || typeof at === "string") return at ?? undefined
  if (typeof at !== "object") return undefined
  if (!("name" in at) && !("order" in at)) return String(at)
  const { name, order, color } = at as { name: string; order: string; color?: string }
  return { name: plain(name), order: plain(order), ...(color === undefined ? {} : { color: plain(color) }) }
}

export function samePlain(a: Plain, b: Plain): boolean {
  if (typeof a !== "object" || typeof b !== "object") return a === b
  return a.name === b.name && a.order === b.order && a.color === b.color
}

/** Writes one property, inside a change. Maps on the way are made when they are missing, and never replaced. */
export function putPlain(column: ColumnDoc, path: readonly string[], value: Plain): void {
  let at = column as unknown as Doc
  for (const key of path.slice(0, -1)) at = (at[key] ??= {}) && (at[key] as Doc)
  const last = path[path.length - 1]!
  if (value === undefined) delete at[last]
  else if (typeof value === "number") at[last] = value
  else if (typeof value === "string") at[last] = scalar(value)
  else {
    at[last] ??= {}
    for (const [key, text] of Object.entries(value)) (at[last] as Doc)[key] = scalar(text as string)
  }
}
