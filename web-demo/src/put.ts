// Values into the cells of a document: what merges is changed, never replaced.

import { Automerge } from "@automerge/automerge-repo/slim"
import { blockOf } from "./ids"
import type { RowDoc, TableDoc } from "./schema"
import { isIds, plain, scalar, type Value } from "./values"

/** Writes one cell, inside a change. A row that is not there (any more) takes nothing. */
export function putCell(doc: TableDoc, row: string, column: string, value: Value): void {
  const target = doc.blocks[blockOf(row)]?.[row]
  if (!target) return
  const kind = plain(doc.columns[column]?.kind)
  const held = target[column]
  if (value === null) clear(doc, target, row, column, kind)
  else if (isIds(value)) putIds(target, column, value)
  else if (typeof value === "object") return
  else if (kind === "longtext" && typeof value === "string") {
    // Only a text object is a string here; a scalar is an ImmutableString.
    if (typeof held === "string") Automerge.updateText(doc, pathOf(row, column), value)
    else target[column] = value
  } else if (kind === "counter" && typeof value === "number") {
    if (Automerge.isCounter(held)) held.increment(value - Number(held.value))
    else target[column] = new Automerge.Counter(value)
  } else target[column] = typeof value === "string" ? scalar(value) : value
}

/** What somebody else adds to a text or to ids meanwhile goes into that very object, so it is emptied and stays. */
function clear(doc: TableDoc, target: RowDoc, row: string, column: string, kind: string): void {
  const held = target[column]
  if (kind === "longtext" && typeof held === "string") Automerge.updateText(doc, pathOf(row, column), "")
  else if ((kind === "multiselect" || kind === "link") && isMap(held)) putIds(target, column, [])
  else delete target[column]
}

function putIds(target: RowDoc, column: string, ids: readonly string[]): void {
  const held = target[column]
  if (!isMap(held)) {
    target[column] = Object.fromEntries(ids.map(id => [id, true]))
    return
  }
  const wanted = new Set(ids)
  for (const id of Object.keys(held)) if (!wanted.has(id)) delete held[id]
  for (const id of ids) if (held[id] !== true) held[id] = true
}

function isMap(held: unknown): held is Record<string, unknown> {
  if (typeof held !== "object" || held === null || Array.isArray(held)) return false
  const scalar = held instanceof Date || held instanceof Uint8Array
  return !scalar && !Automerge.isImmutableString(held) && !Automerge.isCounter(held)
}

const pathOf = (row: string, column: string) => ["blocks", blockOf(row), row, column]
