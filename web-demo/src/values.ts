// Cells as plain values: how each kind is read from the document, shown, typed in and compared.

import { Automerge } from "@automerge/automerge-repo/slim"
import { isDate, parseDate } from "./dates"
import { optionNamed, optionsNamed, type Option } from "./options"
import { KINDS, MAX_IDS, MAX_LINK_BYTES, type Kind } from "./schema"
import { byteLength } from "./text"

export { plain, scalar } from "./text"

/** What a cell is outside the document. Empty is null; in the document an empty cell has no key. */
export type Value = string | number | boolean | Ids | Odd | null

/** Of a multiselect or link: sorted, none twice. */
export type Ids = readonly string[]

/** What a table has no word for; it is shown by these words, kept and never written. */
export interface Odd {
  readonly odd: string
}

/** What of a column decides how its cells are read and written. */
export interface Shape {
  kind: Kind
  options?: readonly Option[]
}

export function read(raw: unknown): Value {
  switch (typeof raw) {
    case "string":
      return raw === "" ? null : raw
    case "number":
    case "boolean":
      return raw
    case "bigint":
      return Number(raw)
    case "object": {
      if (raw === null) return null
      if (raw instanceof Date) return { odd: raw.toISOString() }
      if (raw instanceof Uint8Array) return { odd: `${raw.length} bytes` }
      if (Array.isArray(raw)) return { odd: "a list" }
      if (Automerge.isImmutableString(raw)) return raw.toString() || null
      if (Automerge.isCounter(raw)) return Number(raw.value)
      const ids = Object.keys(raw).filter(id => (raw as Record<string, unknown>)[id] === true)
      return ids.length === 0 ? null : ids.sort()
    }
    default:
      return null
  }
}

export function write(value: string | number | boolean): unknown {
  return typeof value === "string" ? new Automerge.ImmutableString(value) : value
}

export const isIds = (value: Value): value is Ids => Array.isArray(value)

export function same(a: Value, b: Value): boolean {
  if (isIds(a)) return isIds(b) && a.length === b.length && a.every((id, i) => id === b[i])
  return a === b
}

/** Whether a value is what its column's kind says. An empty cell always is. */
export function fits({ kind, options = [] }: Shape, value: Value): boolean {
  if (value === null) return true
  const isOption = (id: string) => options.some(option => option.id === id)
  switch (kind) {
    case "number":
      return typeof value === "number" && Number.isFinite(value)
    case "counter":
      return typeof value === "number" && Number.isSafeInteger(value)
    case "checkbox":
      return typeof value === "boolean"
    case "date":
      return typeof value === "string" && isDate(value)
    case "select":
      return typeof value === "string" && isOption(value)
    case "multiselect":
      return isIds(value) && value.every(isOption)
    case "link":
      return isIds(value)
    case "text":
    case "longtext":
      return typeof value === "string"
    default:
      return true // nobody here knows what would fit a kind that is not known
  }
}

/** What people type becomes a value of the column's kind; undefined when it is none, which is never written. */
export function parse(kind: Kind, text: string, options: readonly Option[] = []): Value | undefined {
  const trimmed = text.trim()
  if (trimmed === "") return (kind === "text" || kind === "longtext") && text !== "" ? text : null
  switch (kind) {
    case "text":
    case "longtext":
      return text
    case "number":
      return parseNumber(trimmed)
    case "counter":
      return parseCount(trimmed)
    case "checkbox":
      return parseCheckbox(trimmed)
    case "date":
      return parseDate(trimmed)
    case "select":
      return optionNamed(options, trimmed)?.id
    case "multiselect": {
      const { ids, unknown } = optionsNamed(options, trimmed)
      return unknown.length > 0 ? undefined : asIds(ids)
    }
    case "link": {
      const ids = linksIn(trimmed)
      return ids.every(id => byteLength(id) <= MAX_LINK_BYTES) ? asIds(ids) : undefined
    }
    default:
      return undefined
  }
}

function parseNumber(text: string): number | undefined {
  const grouped = /^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(text) ? text.replaceAll(",", "") : text
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(grouped)) return undefined
  const number = Number(grouped)
  // A whole number beyond the safe ones would not be the one that was typed.
  const exact = Number.isFinite(number) && (!/^[+-]?\d+$/.test(grouped) || Number.isSafeInteger(number))
  return exact ? number : undefined
}

function parseCount(text: string): number | undefined {
  const number = parseNumber(text)
  return Number.isSafeInteger(number) ? number : undefined
}

function parseCheckbox(text: string): boolean | undefined {
  if (/^(true|yes|y|x|1|✓|☑)$/i.test(text)) return true
  if (/^(false|no|n|0|☐)$/i.test(text)) return false
  return undefined
}

/** Ids separated by commas or lines. An address may hold a comma itself: there only a comma before a space or an address parts. */
export function linksIn(text: string): string[] {
  const parts = text.split(/\n|,\s+|,$|,(?=[a-z][a-z0-9+.-]*:)/i)
  const ids = parts.flatMap(part => (/^\s*[a-z][a-z0-9+.-]*:/i.test(part) ? [part] : part.split(",")))
  return ids.map(id => id.trim()).filter(id => id !== "")
}

/** Ids as a cell holds them; undefined when they are too many, null when there are none. */
export function asIds(ids: Iterable<string>): Ids | null | undefined {
  const set = [...new Set(ids)].sort()
  return set.length === 0 ? null : set.length > MAX_IDS ? undefined : set
}

/** The text of a value: in the cell, in the editor and on the clipboard. Options go by their names. */
export function show(value: Value, column?: Shape): string {
  if (value === null) return ""
  if (value === true) return "TRUE"
  if (value === false) return "FALSE"
  const named = column?.kind === "select" || column?.kind === "multiselect"
  const name = (id: string) => (named && column.options?.find(option => option.id === id)?.name) || id
  if (isIds(value)) return value.map(name).join(", ")
  if (typeof value === "object") return value.odd
  return typeof value === "string" ? name(value) : String(value)
}

/** What a column takes, in words for whoever typed something else. */
export function expects(kind: Kind): string {
  switch (kind) {
    case "number":
      return "a number such as 12.5"
    case "counter":
      return "a whole number such as 12"
    case "checkbox":
      return "yes or no"
    case "date":
      return "a date such as 2026-01-31"
    case "select":
      return "one of its options"
    case "multiselect":
      return "some of its options"
    case "link":
      return "ids or addresses of at most 256 letters"
    case "text":
    case "longtext":
      return "text"
    default:
      return "what a later version of this page knows"
  }
}

/** A column of a kind that this page does not know is only shown. */
export function isWritable(kind: Kind): boolean {
  return (KINDS as readonly string[]).includes(kind)
}
