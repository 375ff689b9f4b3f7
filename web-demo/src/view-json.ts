// Between the document and JSON: strings in either of their two encodings become text, and text becomes scalars.

import { Automerge } from "@automerge/automerge-repo/slim"
import { MAX_DEPTH, type Json } from "./view"

/** Objects deeper than this are not read: conditions nest less deep, and somebody else wrote them. */
const DEEPEST = 4 * MAX_DEPTH

export function fromDoc(value: unknown, depth = 0): Json {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "number":
      return Number.isFinite(value) ? value : null
    case "bigint":
      return Number(value)
    case "object":
      if (value === null || depth > DEEPEST) return null
      if (Automerge.isImmutableString(value)) return value.toString()
      if (Automerge.isCounter(value)) return Number(value.value)
      if (value instanceof Date || value instanceof Uint8Array) return null
      if (Array.isArray(value)) return value.map(item => fromDoc(item, depth + 1))
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fromDoc(item, depth + 1)]))
    default:
      return null
  }
}

/** A string becomes a scalar; a plain one would become a text object. */
export function toDoc(json: unknown): unknown {
  if (typeof json === "string") return new Automerge.ImmutableString(json)
  if (Array.isArray(json)) return json.map(toDoc)
  if (typeof json !== "object" || json === null) return json
  return Object.fromEntries(Object.entries(json).map(([key, item]) => [key, toDoc(item)]))
}
