// Cells as views see them: read by the kind of their column, and made comparable.
//
// Empty cells stand last in either direction, and what does not fit the column's kind stands just before them: both are
// things to be looked at, not values. Texts compare as bytes of UTF-8, as the server compares them.

import { Automerge } from "@automerge/automerge-repo/slim"
import { stretch } from "./view-dates"
import type { Json, ViewColumn } from "./view"

export type Reading =
  | { is: "empty" }
  | { is: "text"; text: string }
  | { is: "number"; number: number }
  | { is: "checkbox"; yes: boolean }
  | { is: "date"; text: string; start: number }
  /** Sorted and without repetition. */
  | { is: "ids"; ids: readonly string[] }
  | { is: "mismatch"; json: Json }

const EMPTY: Reading = { is: "empty" }

/** What a cell holds, whatever its column's kind says; undefined for an empty one. */
function found(raw: unknown): { text: string } | { number: number } | { yes: boolean } | { ids: string[] } | null | undefined {
  switch (typeof raw) {
    case "string":
      return raw === "" ? undefined : { text: raw }
    case "number":
      return { number: raw }
    case "bigint":
      return { number: Number(raw) }
    case "boolean":
      return { yes: raw }
    case "object": {
      if (raw === null) return undefined
      if (Automerge.isImmutableString(raw)) return found(raw.toString())
      if (Automerge.isCounter(raw)) return { number: Number(raw.value) }
      if (Array.isArray(raw) || raw instanceof Date || raw instanceof Uint8Array) return null
      const ids = Object.entries(raw).filter(([, there]) => there === true)
      return ids.length === 0 ? undefined : { ids: ids.map(([id]) => id).sort(compareText) }
    }
    case "undefined":
      return undefined
    default:
      return null
  }
}

/** Reads what lies in the document as the column wants it. Encodings that say the same are all taken. */
export function readCell(column: ViewColumn, raw: unknown): Reading {
  const cell = found(raw)
  if (cell === undefined) return EMPTY
  if (cell === null) return { is: "mismatch", json: null }
  if ("text" in cell) {
    const { text } = cell
    if (column.kind === "text" || column.kind === "longtext") return { is: "text", text }
    if (column.kind === "select" && column.options.includes(text)) return { is: "text", text }
    const start = column.kind === "date" ? stretch(text)?.start : undefined
    return start === undefined ? { is: "mismatch", json: text } : { is: "date", text, start }
  }
  if ("number" in cell) {
    const { number } = cell
    const fits = column.kind === "number" ? Number.isFinite(number) : column.kind === "counter" && Number.isSafeInteger(number)
    return fits ? { is: "number", number } : { is: "mismatch", json: Number.isFinite(number) ? number : null }
  }
  if ("yes" in cell) {
    return column.kind === "checkbox" ? { is: "checkbox", yes: cell.yes } : { is: "mismatch", json: cell.yes }
  }
  const { ids } = cell
  const fits = column.kind === "link" || (column.kind === "multiselect" && ids.every(id => column.options.includes(id)))
  return fits ? { is: "ids", ids } : { is: "mismatch", json: ids }
}

/** The value over JSON. */
export function toJson(reading: Reading): Json {
  switch (reading.is) {
    case "empty":
      return null
    case "text":
    case "date":
      return reading.text
    case "number":
      return reading.number
    case "checkbox":
      return reading.yes
    case "ids":
      return [...reading.ids]
    case "mismatch":
      return reading.json
  }
}

/** A cell made comparable with others of its column. Fields that a kind does not use are equal in all of its keys. */
export interface SortKey {
  /** 0: a value, 1: what does not fit, 2: empty. */
  rank: 0 | 1 | 2
  number: number
  /** Made such that its UTF-16 units compare as bytes of UTF-8 do. */
  text: string
  /** As written, where texts are equal but for their case. */
  raw: string
  list: readonly (number | string)[]
}

const NOTHING: readonly never[] = []
const LAST: SortKey = { rank: 2, number: 0, text: "", raw: "", list: NOTHING }

export function sortKey(column: ViewColumn, reading: Reading): SortKey {
  const key = (number: number, text: string, raw: string): SortKey => ({ rank: 0, number, text, raw, list: NOTHING })
  const position = (id: string) => {
    const at = column.options.indexOf(id)
    return at < 0 ? column.options.length : at
  }
  switch (reading.is) {
    case "empty":
      return LAST
    case "mismatch":
      return { ...LAST, rank: 1, text: sortable(mismatchText(reading.json)) }
    case "text":
      if (column.kind === "select") return key(position(reading.text), "", "")
      return key(0, sortable(reading.text.toLowerCase()), sortable(reading.text))
    case "number":
      return key(reading.number, "", "")
    case "checkbox":
      return key(reading.yes ? 1 : 0, "", "")
    case "date":
      return key(reading.start, reading.text, "")
    case "ids":
      if (column.kind === "link") return { ...key(0, "", ""), list: reading.ids.map(sortable) }
      return { ...key(0, "", ""), list: reading.ids.map(position).sort((a, b) => a - b) }
  }
}

export function compareKeys(a: SortKey, b: SortKey, descending: boolean): number {
  if (a.rank !== b.rank) return a.rank - b.rank
  const order = a.number - b.number || plainly(a.text, b.text) || plainly(a.raw, b.raw) || compareLists(a.list, b.list)
  return descending ? -order : order
}

const plainly = (a: number | string, b: number | string): number => (a < b ? -1 : a > b ? 1 : 0)

/** As bytes of UTF-8, as the server compares. */
export function compareText(a: string, b: string): number {
  return plainly(sortable(a), sortable(b))
}

/** Characters beyond the first 65,536 come last as bytes, although their UTF-16 units do not: the units change places. */
function sortable(text: string): string {
  return text.replace(/[\ud800-\uffff]/g, unit => {
    const code = unit.charCodeAt(0)
    return String.fromCharCode(code < 0xe000 ? code + 0x2000 : code - 0x800)
  })
}

function compareLists(a: readonly (number | string)[], b: readonly (number | string)[]): number {
  for (let at = 0; at < a.length && at < b.length; at++) {
    const order = plainly(a[at]!, b[at]!)
    if (order !== 0) return order
  }
  return a.length - b.length
}

/** What does not fit is sorted by its JSON as the server writes it. */
function mismatchText(json: Json): string {
  if (typeof json !== "number") return JSON.stringify(json)
  if (Number.isSafeInteger(json)) return String(json)
  const [digits = "0", exponent = "0"] = json.toExponential().split("e")
  const at = Number(exponent) + 1
  if (at > -5 && at <= 16) return Number.isInteger(json) ? `${json}.0` : String(json)
  return `${digits}e${Number(exponent)}`
}
