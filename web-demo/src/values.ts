// Cells as plain values: how each kind is read from the document, shown, typed in and compared.

import { Automerge } from "@automerge/automerge-repo/slim"
import type { Kind, Str } from "./schema"

/** What a cell is outside the document. Empty is null; in the document an empty cell has no key. */
export type Value = string | number | boolean | null

export function plain(text: Str | undefined): string {
  return text === undefined || text === null ? "" : typeof text === "string" ? text : text.toString()
}

/** A string scalar. A plain string would become a text object: twice the size and the load time. */
export function scalar(text: string): Automerge.ImmutableString {
  return new Automerge.ImmutableString(text)
}

export function read(raw: unknown): Value {
  switch (typeof raw) {
    case "string":
    case "number":
    case "boolean":
      return raw
    case "bigint":
      return Number(raw)
    case "object": {
      if (raw === null) return null
      if (raw instanceof Date) return raw.toISOString().slice(0, 10)
      if (Automerge.isImmutableString(raw)) return raw.toString()
      if (Automerge.isCounter(raw)) return Number(raw.value)
      return Object.keys(raw).join(", ") // multi-select and link: a map of ids
    }
    default:
      return null
  }
}

export function write(value: string | number | boolean): unknown {
  return typeof value === "string" ? scalar(value) : value
}

/** What people type becomes a value of the column's kind; what does not fit is kept as text rather than thrown away. */
export function parse(kind: Kind, text: string): Value {
  const trimmed = text.trim()
  if (trimmed === "") return kind === "text" && text !== "" ? text : null
  switch (kind) {
    case "number":
      return parseNumber(trimmed) ?? text
    case "checkbox":
      return parseCheckbox(trimmed) ?? text
    case "date":
      return parseDate(trimmed) ?? text
    default:
      return text
  }
}

function parseNumber(text: string): number | null {
  const grouped = /^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(text) ? text.replaceAll(",", "") : text
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(grouped)) return null
  const number = Number(grouped)
  return Number.isFinite(number) ? number : null
}

function parseCheckbox(text: string): boolean | null {
  if (/^(true|yes|y|x|1|✓|☑)$/i.test(text)) return true
  if (/^(false|no|n|0|☐)$/i.test(text)) return false
  return null
}

function parseDate(text: string): string | null {
  const iso = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(text)
  const dotted = /^(\d{1,2})\.(\d{1,2})\.(\d{4})$/.exec(text)
  const [year, month, day] = iso ? [iso[1], iso[2], iso[3]] : dotted ? [dotted[3], dotted[2], dotted[1]] : []
  if (!year || !month || !day) return null
  const date = `${year}-${month.padStart(2, "0")}-${day.padStart(2, "0")}`
  const check = new Date(`${date}T00:00:00Z`)
  // A 30th of February rolls over into March: then it was no date.
  return !Number.isNaN(check.getTime()) && check.toISOString().startsWith(date) ? date : null
}

/** The text of a value: in the cell, in the editor and on the clipboard. */
export function show(value: Value): string {
  if (value === null) return ""
  if (value === true) return "TRUE"
  if (value === false) return "FALSE"
  return String(value)
}

/** Counters, links and multi-selects are merged key by key; a cell write from here would flatten them. */
export function isWritable(kind: Kind): boolean {
  return kind !== "counter" && kind !== "multiselect" && kind !== "link"
}
