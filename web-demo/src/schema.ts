// What a table document looks like, exactly as docs/table-schema.md says it; no behaviour.

import type { Automerge } from "@automerge/automerge-repo/slim"

export const SCHEMA_VERSION = 1

export const KINDS = ["text", "longtext", "number", "counter", "checkbox", "date", "select", "multiselect", "link"] as const

/** A column of a kind that is not among these is kept, shown as text and never written. */
export type Kind = (typeof KINDS)[number]

/** A string as Rust and this page write it (one scalar, last writer wins), or as a careless client does (a text object). */
export type Str = Automerge.ImmutableString | string

/** Who marked a row or column as deleted, and when (milliseconds since 1970). Anything but `false` and `null` is a mark. */
export interface DeletedMark {
  at: number
  by: Str
}

export interface ColumnDoc {
  name: Str
  kind: Str
  /** A fractional index key, see order.ts. */
  order: Str
  /** Pixels. */
  width?: number
  /** Of a select or multiselect, by option id. */
  options?: Record<string, OptionDoc>
  deleted?: DeletedMark
}

export interface OptionDoc {
  name: Str
  /** A CSS colour, or a name the front end knows (see options.ts). */
  color?: Str
  order: Str
}

export type RowDoc = { order: Str; deleted?: DeletedMark } & Record<string, unknown>

export type BlockDoc = Record<string, RowDoc>

export interface TableDoc {
  type: Str
  schemaVersion: number
  title: Str
  columns: Record<string, ColumnDoc>
  blocks: Record<string, BlockDoc>
  views?: Record<string, ViewDoc>
  /** What clean-up has removed: a row's id with the object id of its map, a column's with `true`. Front ends only read it. */
  purged?: Record<string, Str | true>
}

/** Each key of a view is replaced as a whole. */
export type ViewDoc = {
  name: Str
  order: Str
  /** All of these must hold. */
  filter?: FilterDoc[]
  /** The first key counts most. */
  sort?: SortDoc[]
  /** The visible columns in their order; all columns if there is no key. */
  columns?: Str[]
  /** At most three; rows of equal values stand together. */
  group?: SortDoc[]
  aggregates?: AggregateDoc[]
}

export type FilterDoc = { and: FilterDoc[] } | { or: FilterDoc[] } | { column: Str; op: Str; value?: unknown }

export interface SortDoc {
  column: Str
  descending?: boolean
}

/** `count` needs no column, the others do. */
export interface AggregateDoc {
  op: Str
  column?: Str
}

/** The most options a column has, the most ids in one cell, the longest id of a link and the longest name, in bytes. */
export const MAX_OPTIONS = 1000
export const MAX_IDS = 1000
export const MAX_LINK_BYTES = 256
export const MAX_NAME_BYTES = 1024

/** How many rows a block should hold. The binding copies the parent of every change, so a block bounds what one edit costs. */
export const ROWS_PER_BLOCK = 128

/**
 * How many cells one change may carry. A peer that lacks more than a third of the changes (by count) is sent the whole
 * document, so a paste as one change would cost every later joiner a full copy.
 */
export const CELLS_PER_CHANGE = 500
