// What a view is: which rows, in which order, which columns, in which groups, with which sums. No behaviour but its words.
//
// The meaning is that of docs/table-schema.md, "Views"; the server evaluates the same, and a shared fixture holds the two
// together (test/view-agreement.test.ts).

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

export const OPS = [
  "equals",
  "notEquals",
  "contains",
  "startsWith",
  "less",
  "lessOrEqual",
  "greater",
  "greaterOrEqual",
  "between",
  "isEmpty",
  "isNotEmpty",
  "anyOf",
  "noneOf",
] as const

export type Op = (typeof OPS)[number]

export interface Condition {
  column: string
  op: Op
  /** One value, a list for `anyOf`, `noneOf` and `between`, null for operators that take none. */
  value: Json
}

export type Filter = { and: Filter[] } | { or: Filter[] } | Condition

export interface Sort {
  column: string
  descending: boolean
}

export const AGGREGATES = ["count", "countFilled", "sum", "average", "min", "max"] as const

export type AggregateOp = (typeof AGGREGATES)[number]

export interface Aggregate {
  op: AggregateOp
  /** Null only for the count of rows. */
  column: string | null
}

/** The parts of a view that decide what is shown. Each is one key of the document, replaced as a whole. */
export interface View {
  /** All of these must hold. */
  filter: Filter[]
  /** The first key counts most. */
  sort: Sort[]
  /** The visible columns in their order; null for all columns of the table. */
  columns: string[] | null
  group: Sort[]
  aggregates: Aggregate[]
}

export type Part = keyof View

export const PARTS: readonly Part[] = ["filter", "sort", "columns", "group", "aggregates"]

/** Something of a view that is not followed, and why. */
export interface Skipped {
  part: Part | "name"
  why: string
}

export const EVERYTHING: View = { filter: [], sort: [], columns: null, group: [], aggregates: [] }

/** Whether a view shows the table as it is, so that nothing needs to be evaluated. */
export function isEverything(view: View): boolean {
  // No columns at all is not the same as all columns.
  return PARTS.every(part => (part === "columns" ? view.columns === null : view[part].length === 0))
}

/** A column as far as views care. */
export interface ViewColumn {
  id: string
  name: string
  kind: string
  /** Ids of its options in their order. */
  options: readonly string[]
}

export const MAX_ITEMS = 200
export const MAX_DEPTH = 8
export const MAX_GROUPS = 3

const TEXTS = ["text", "longtext"]
const IDS = ["multiselect", "link"]
const NUMBERS = ["number", "counter"]
const KNOWN = [...TEXTS, ...IDS, ...NUMBERS, "checkbox", "date", "select"]

/** Whether cells of this kind can be asked so. */
export function opFits(op: Op, kind: string): boolean {
  switch (op) {
    case "isEmpty":
    case "isNotEmpty":
      return true
    case "equals":
    case "notEquals":
      return KNOWN.includes(kind)
    case "contains":
      return TEXTS.includes(kind) || IDS.includes(kind)
    case "startsWith":
      return TEXTS.includes(kind)
    case "anyOf":
    case "noneOf":
      return KNOWN.includes(kind) && kind !== "checkbox" && kind !== "longtext"
    default:
      return NUMBERS.includes(kind) || kind === "date"
  }
}

export function aggregateFits(op: AggregateOp, kind: string): boolean {
  if (op === "count" || op === "countFilled") return true
  return NUMBERS.includes(kind) || (kind === "date" && (op === "min" || op === "max"))
}
