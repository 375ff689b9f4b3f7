// The seam between the grid and the data: the grid knows this and nothing of Automerge, so either side can be replaced.

import type { Option } from "./options"
import type { Kind } from "./schema"
import type { Value } from "./values"

export interface Column {
  id: string
  name: string
  kind: Kind
  width: number
  /** Of a select or multiselect, in their order. A column that was one before still has them. */
  options: readonly Option[]
}

export interface Edit {
  row: string
  column: string
  value: Value
}

/** What changed, by id. `structure` means that rows or columns came, went or moved, so that indices may have shifted. */
export interface ModelChange {
  cells: { row: string; column: string }[]
  structure: boolean
  title: boolean
  /** Made by somebody else. */
  remote: boolean
}

export interface Model {
  /** Ids of the live rows in document order. The array is replaced, never changed, when the structure changes. */
  rows(): readonly string[]
  cols(): readonly Column[]
  /** Where a row stands now, or -1. */
  rowIndex(row: string): number
  columnIndex(column: string): number
  /** The rows that stand first in a group, ascending; the grid leaves room for a heading above each. */
  groupStarts?(): readonly number[]
  get(row: string, column: string): Value
  set(edits: readonly Edit[]): void
  subscribe(listener: (change: ModelChange) => void): () => void
}
