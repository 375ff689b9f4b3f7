// The model over an Automerge document: reads through its patches, writes only the cells that changed.

import type { Automerge, DocHandle, DocHandleChangePayload } from "@automerge/automerge-repo/slim"
import { isMarked, lookUp, putPlain, readColumns, type ColumnEdit, type ColumnList, type DeletedColumn, type Plain } from "./columndoc"
import { blockOf, newBlockId, newRowId } from "./ids"
import type { Column, Edit, Model, ModelChange } from "./model"
import { byOrder, placeAfter, type Placed } from "./order"
import { putCell } from "./put"
import { CELLS_PER_CHANGE, ROWS_PER_BLOCK, type ColumnDoc, type RowDoc, type TableDoc } from "./schema"
import { plain, read, scalar, type Value } from "./values"

/** The heads of the document, as its handle tells them. */
export type Version = ReturnType<DocHandle<TableDoc>["heads"]>

/** Patches to these keys of a row or column move it or hide it; every other key is a cell. */
const STRUCTURE_KEYS = new Set(["order", "deleted"])

export class Table implements Model {
  #rows: string[] = []
  #rowIndex = new Map<string, number>()
  #columns: ColumnList = { placed: [], live: [], deleted: [] }
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
    return this.#columns.live
  }

  /** A column by id, deleted or not: what was typed into it belongs there all the same. */
  column(id: string): Column | undefined {
    return this.#columns.live[this.#colIndex.get(id) ?? -1] ?? this.#columns.deleted.find(({ column }) => column.id === id)?.column
  }

  /** All live rows, also where only some of them are shown. */
  allRows(): readonly string[] {
    return this.#rows
  }

  isColumnDeleted(id: string): boolean {
    return !this.#colIndex.has(id)
  }

  deletedColumns(): readonly DeletedColumn[] {
    return this.#columns.deleted
  }

  /** The order keys of all columns, deleted ones among them: what is restored stands where it stood. */
  placedColumns(): readonly Placed[] {
    return this.#columns.placed
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

  /** With `at`, as somebody would who has seen nothing after that version: what others wrote since is merged with it. */
  set(edits: readonly Edit[], at?: Version): void {
    for (let from = 0; from < edits.length; from += CELLS_PER_CHANGE) {
      const part = edits.slice(from, from + CELLS_PER_CHANGE)
      this.#change(doc => {
        for (const { row, column, value } of part) putCell(doc, row, column, value)
      }, at)
    }
  }

  setTitle(title: string): void {
    if (title !== this.title) this.#change(doc => void (doc.title = scalar(title)))
  }

  /** Adds a column, all of it in one change: of two people who make one of its maps later, one would lose theirs. */
  insertColumn(id: string, column: ColumnDoc): void {
    this.#change(doc => void (doc.columns[id] = column))
  }

  /** Marks columns, for the same reason as rows are. */
  deleteColumns(columns: readonly string[]): void {
    if (columns.length === 0) return
    this.#change(doc => {
      for (const id of columns) {
        const target = doc.columns[id]
        if (target && !isMarked(target.deleted)) target.deleted = { at: Date.now(), by: scalar(this.author()) }
      }
    })
  }

  restoreColumns(columns: readonly string[]): void {
    const marked = columns.filter(id => this.handle.doc().columns[id]?.deleted !== undefined)
    if (marked.length > 0) this.#change(doc => marked.forEach(id => delete doc.columns[id]!.deleted))
  }

  columnProperty(column: string, path: readonly string[]): Plain {
    return lookUp(this.handle.doc().columns?.[column], path)
  }

  /** Writes properties of columns, in one change. */
  setColumnProperties(edits: readonly Pick<ColumnEdit, "column" | "path" | "after">[]): void {
    if (edits.length === 0) return
    this.#change(doc => {
      for (const { column, path, after } of edits) {
        const target = doc.columns[column]
        if (!target) continue
        putPlain(target, path, after)
        const chosen = after === "select" || after === "multiselect"
        if (path[0] === "kind" && chosen) target.options ??= {}
      }
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
          if (target && !isMarked(target.deleted)) target.deleted = { at, by: scalar(this.author()) }
        }
      })
    }
  }

  restoreRows(rows: readonly string[]): void {
    for (let from = 0; from < rows.length; from += CELLS_PER_CHANGE) {
      this.#change(doc => {
        for (const row of rows.slice(from, from + CELLS_PER_CHANGE)) {
          const target = doc.blocks[blockOf(row)]?.[row]
          if (target && target.deleted !== undefined) delete target.deleted
        }
      })
    }
  }

  isDeleted(row: string): boolean {
    return isMarked(this.#row(row)?.deleted)
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

  #change(edit: (doc: TableDoc) => void, at?: Version): void {
    this.#own = true
    try {
      if (at) this.handle.changeAt(at, edit as Automerge.ChangeFn<TableDoc>)
      else this.handle.change(edit as Automerge.ChangeFn<TableDoc>)
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
      else if (root === "columns") structure = true // widths, names and options are told with it
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
        if (typeof row === "object" && row !== null && !isMarked(row.deleted)) placed.push({ id, order: plain(row.order) })
      }
    }
    this.#rows = placed.sort(byOrder).map(row => row.id)
    this.#rowIndex = new Map(this.#rows.map((id, i) => [id, i]))
    this.#columns = readColumns(doc.columns)
    this.#colIndex = new Map(this.#columns.live.map((column, i) => [column.id, i]))
  }
}
