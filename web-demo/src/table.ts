// The model over an Automerge document: reads through its patches, writes only the cells that changed.

import type { Automerge, DocHandle, DocHandleChangePayload } from "@automerge/automerge-repo/slim"
import { blockOf, newBlockId, newRowId } from "./ids"
import type { Column, Edit, Model, ModelChange } from "./model"
import { byOrder, placeAfter, type Placed } from "./order"
import { CELLS_PER_CHANGE, ROWS_PER_BLOCK, type Kind, type RowDoc, type TableDoc } from "./schema"
import { plain, read, scalar, write, type Value } from "./values"

const DEFAULT_WIDTHS: Partial<Record<Kind, number>> = { number: 110, date: 120, checkbox: 96 }

/** Wide enough for the kind and, roughly, for the name above it. */
function defaultWidth(kind: Kind, name: string): number {
  return Math.max(DEFAULT_WIDTHS[kind] ?? 160, Math.min(280, name.length * 8 + 28))
}

/** Patches to these keys of a row or column move it or hide it; every other key is a cell. */
const STRUCTURE_KEYS = new Set(["order", "deleted"])

export class Table implements Model {
  #rows: string[] = []
  #rowIndex = new Map<string, number>()
  #cols: Column[] = []
  #colIndex = new Map<string, number>()
  #listeners = new Set<(change: ModelChange) => void>()
  /** True while a change of our own runs: the handle emits its event inside `change`, and does not say whose it was. */
  #own = false

  constructor(
    readonly handle: DocHandle<TableDoc>,
    private readonly author: () => string,
  ) {
    this.#rebuild()
    handle.on("change", payload => this.#changed(payload))
  }

  rows(): readonly string[] {
    return this.#rows
  }

  cols(): readonly Column[] {
    return this.#cols
  }

  rowIndex(row: string): number {
    return this.#rowIndex.get(row) ?? -1
  }

  columnIndex(column: string): number {
    return this.#colIndex.get(column) ?? -1
  }

  get(row: string, column: string): Value {
    return read(this.#row(row)?.[column])
  }

  get title(): string {
    return plain(this.handle.doc().title)
  }

  subscribe(listener: (change: ModelChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  set(edits: readonly Edit[]): void {
    for (let from = 0; from < edits.length; from += CELLS_PER_CHANGE) {
      const part = edits.slice(from, from + CELLS_PER_CHANGE)
      this.#change(doc => {
        for (const { row, column, value } of part) {
          const target = doc.blocks[blockOf(row)]?.[row]
          if (!target) continue
          if (value === null) delete target[column]
          else target[column] = write(value)
        }
      })
    }
  }

  setTitle(title: string): void {
    if (title !== this.title) this.#change(doc => void (doc.title = scalar(title)))
  }

  setColumnWidth(column: string, width: number): void {
    this.#change(doc => {
      const target = doc.columns[column]
      if (target) target.width = width
    })
  }

  /** Adds empty rows right after the row at `after` (-1: before all) and returns their ids, in order. */
  insertRows(after: number, count: number): string[] {
    const doc = this.handle.doc()
    const sorted = this.#rows.map(id => ({ id, order: plain(this.#row(id)?.order) }))
    const { keys, rekeyed } = placeAfter(sorted, after, count)
    const anchor = this.#rows[Math.max(after, 0)]
    let block = anchor === undefined ? newBlockId() : blockOf(anchor)
    let room = ROWS_PER_BLOCK - Object.keys(doc.blocks[block] ?? {}).length
    const rows = keys.map(order => {
      if (room <= 0) {
        block = newBlockId()
        room = ROWS_PER_BLOCK
      }
      room--
      return { id: newRowId(block), order }
    })
    this.#rekey(rekeyed)
    for (let from = 0; from < rows.length; from += CELLS_PER_CHANGE) {
      this.#change(doc => {
        for (const { id, order } of rows.slice(from, from + CELLS_PER_CHANGE)) {
          const blockId = blockOf(id)
          doc.blocks[blockId] ??= {}
          doc.blocks[blockId]![id] = { order: scalar(order) }
        }
      })
    }
    return rows.map(row => row.id)
  }

  /** Marks rows as deleted. A plain delete of the key would silently eat what somebody else types into the row meanwhile. */
  deleteRows(rows: readonly string[]): void {
    const at = Date.now()
    // A mark is three operations (the map and its two keys), so fewer fit into one change.
    const step = Math.floor(CELLS_PER_CHANGE / 3)
    for (let from = 0; from < rows.length; from += step) {
      this.#change(doc => {
        for (const row of rows.slice(from, from + step)) {
          const target = doc.blocks[blockOf(row)]?.[row]
          if (target && !target.deleted) target.deleted = { at, by: scalar(this.author()) }
        }
      })
    }
  }

  restoreRows(rows: readonly string[]): void {
    for (let from = 0; from < rows.length; from += CELLS_PER_CHANGE) {
      this.#change(doc => {
        for (const row of rows.slice(from, from + CELLS_PER_CHANGE)) {
          const target = doc.blocks[blockOf(row)]?.[row]
          if (target?.deleted) delete target.deleted
        }
      })
    }
  }

  isDeleted(row: string): boolean {
    return this.#row(row)?.deleted !== undefined
  }

  #row(row: string): RowDoc | undefined {
    return this.handle.doc().blocks?.[blockOf(row)]?.[row]
  }

  #rekey(placed: readonly Placed[]): void {
    if (placed.length === 0) return
    this.#change(doc => {
      for (const { id, order } of placed) {
        const target = doc.blocks[blockOf(id)]?.[id]
        if (target) target.order = scalar(order)
      }
    })
  }

  #change(edit: (doc: TableDoc) => void): void {
    this.#own = true
    try {
      this.handle.change(edit as Automerge.ChangeFn<TableDoc>)
    } finally {
      this.#own = false
    }
  }

  #changed({ patches }: DocHandleChangePayload<TableDoc>): void {
    const cells = new Map<string, { row: string; column: string }>()
    let structure = false
    let title = false
    for (const { path } of patches) {
      const [root, block, row, key] = path
      if (root === "title") title = true
      else if (root === "columns") structure = true
      else if (root === "blocks" && block !== undefined) {
        if (row === undefined || key === undefined || STRUCTURE_KEYS.has(String(key))) structure = true
        else cells.set(`${row} ${key}`, { row: String(row), column: String(key) })
      }
    }
    if (structure) this.#rebuild()
    const change: ModelChange = { cells: [...cells.values()], structure, title, remote: !this.#own }
    for (const listener of this.#listeners) listener(change)
  }

  #rebuild(): void {
    const doc = this.handle.doc()
    const placed: Placed[] = []
    for (const block of Object.values(doc.blocks ?? {})) {
      for (const [id, row] of Object.entries(block)) {
        // Whoever has the address may write anything into the document; what is no row is not shown.
        if (typeof row === "object" && row !== null && !row.deleted) placed.push({ id, order: plain(row.order) })
      }
    }
    this.#rows = placed.sort(byOrder).map(row => row.id)
    this.#rowIndex = new Map(this.#rows.map((id, i) => [id, i]))
    const columns = Object.entries(doc.columns ?? {}).filter(([, column]) => !column.deleted)
    this.#cols = columns
      .map(([id, column]) => ({ id, order: plain(column.order), column }))
      .sort(byOrder)
      .map(({ id, column }) => {
        const kind = plain(column.kind) as Kind
        const name = plain(column.name)
        return { id, name, kind, width: column.width ?? defaultWidth(kind, name) }
      })
    this.#colIndex = new Map(this.#cols.map((column, i) => [column.id, i]))
  }
}
