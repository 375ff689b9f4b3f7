// What a table document looks like, exactly as docs/table-schema.md says it; no behaviour.

import type { Automerge } from "@automerge/automerge-repo/slim"

/** The kinds of column this page knows. Others are shown as text and never written. */
export type Kind = "text" | "number" | "checkbox" | "date" | "select" | "multiselect" | "link" | "longtext" | "counter"

/** A string as Rust and this page write it (one scalar, last writer wins), or as a careless client does (a text object). */
export type Str = Automerge.ImmutableString | string

/** Who marked a row or column as deleted, and when (milliseconds since 1970). */
export interface DeletedMark {
  at: number
  by: Str
}

export interface ColumnDoc {
  name: Str
  kind: Str
  order: Str
  width?: number
  deleted?: DeletedMark
  options?: Record<string, { name: Str }>
}

export type RowDoc = { order: Str; deleted?: DeletedMark } & Record<string, unknown>

export type BlockDoc = Record<string, RowDoc>

export interface TableDoc {
  type: Str
  schemaVersion: number
  title: Str
  columns: Record<string, ColumnDoc>
  blocks: Record<string, BlockDoc>
  views?: Record<string, unknown>
}

/** How many rows a block should hold. The binding copies the parent of every change, so a block bounds what one edit costs. */
export const ROWS_PER_BLOCK = 128

/**
 * How many cells one change may carry. A peer that lacks more than a third of the changes (by count) is sent the whole
 * document, so a paste as one change would cost every later joiner a full copy.
 */
export const CELLS_PER_CHANGE = 500
