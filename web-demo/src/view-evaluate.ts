// A view on a table: the rows that pass, in their order, their groups, and the aggregates.
//
// What a row says to the view (whether it passes, its keys, its summed cells) is kept with the row's object in the
// document. The binding makes a new object for each row that changes and keeps the others, so a second evaluation reads
// the cells of changed rows only, whoever changed them and however.

import { compareKeys, readCell, sortKey, toJson } from "./view-cells"
import { compile, type Compiled } from "./view-filter"
import { aggregate, type Cell } from "./view-totals"
import { aggregateFits, type Aggregate, type Json, type Part, type Skipped, type Sort, type View, type ViewColumn } from "./view"

export type RowObject = Readonly<Record<string, unknown>>

export interface Group {
  /** One value for each column grouped by. */
  key: Json[]
  /** Where its rows stand among the rows shown; `to` is not part of it. */
  from: number
  to: number
  totals: Json[]
}

interface Row {
  id: string
  object: RowObject
  passes: boolean
  /** By the columns that are compared, see `#compared`. */
  cells: Cell[]
  /** Where it stands in the table. */
  at: number
}

const NO_CELLS: RowObject = {}

/** Beyond this, reading all rows again and sorting what is nearly sorted is quicker than one change after the other. */
const MAX_UPDATED = 50

export class Evaluation {
  /** What of the view is not followed. */
  readonly skipped: Skipped[] = []
  /** The visible columns in their order. */
  readonly columns: string[]
  /** The columns whose cells matter. */
  readonly asked: Set<string>
  readonly group: readonly Sort[]
  #filter: Compiled
  /** What rows are sorted by: groups first. `cell` is a place in a row's cells. */
  #keys: readonly { cell: number; descending: boolean }[]
  #aggregates: readonly (Aggregate | null)[]
  /** The columns that are sorted, grouped or summed. */
  #compared: ViewColumn[]
  #find: Map<string, ViewColumn>
  #rows = new Map<string, Row>()
  /** The rows that pass, in their order, and their ids. */
  #order: Row[] = []
  #ids: readonly string[] = []
  /** The rows of the table when they were last arranged. */
  #arranged: readonly string[] | null = null

  constructor(view: View, columns: readonly ViewColumn[]) {
    this.#find = new Map(columns.map(column => [column.id, column]))
    const there = (part: Part, id: string): boolean => {
      if (this.#find.has(id)) return true
      this.skipped.push({ part, why: `there is no column ${id}` })
      return false
    }
    this.#filter = compile(view.filter, id => this.#find.get(id), this.skipped)
    const sort = view.sort.filter(key => there("sort", key.column))
    this.group = view.group.filter(key => there("group", key.column))
    this.columns = view.columns ? view.columns.filter(id => there("columns", id)) : columns.map(column => column.id)
    this.#aggregates = view.aggregates.map(item => this.#followed(item))
    const keys = [...this.group, ...sort]
    const compared = [...keys.map(key => key.column), ...this.#aggregates.flatMap(item => item?.column ?? [])]
    this.#compared = columns.filter(column => compared.includes(column.id))
    this.#keys = keys.map(({ column, descending }) => ({ cell: this.#position(column), descending }))
    this.asked = new Set([...compared, ...this.#filter.columns])
  }

  get aggregates(): readonly (Aggregate | null)[] {
    return this.#aggregates
  }

  get filters(): boolean {
    return this.#filter.tests.length > 0
  }

  get sorts(): boolean {
    return this.#keys.length > 0
  }

  #followed(item: Aggregate): Aggregate | null {
    if (item.column === null) return item
    const column = this.#find.get(item.column)
    if (column && aggregateFits(item.op, column.kind)) return item
    const why = column ? `${item.op} does not apply to column "${column.name}" of kind ${column.kind}` : `there is no column ${item.column}`
    this.skipped.push({ part: "aggregates", why })
    return null
  }

  /**
   * The rows that pass, in their order; the very same list if nothing has come, gone or moved. `table` are the live rows
   * in document order. `changed` are the only rows that may have changed since the last time; null: any may have.
   */
  arrange(table: readonly string[], object: (row: string) => RowObject | undefined, changed: ReadonlySet<string> | null): readonly string[] {
    if (this.asked.size === 0) return table
    if (changed && changed.size <= MAX_UPDATED && this.#arranged === table) this.#update(changed, object)
    else this.#readAll(table, object)
    this.#arranged = table
    return this.filters || this.sorts ? this.#ids : table
  }

  #readAll(table: readonly string[], object: (row: string) => RowObject | undefined): void {
    const before = this.#rows
    this.#rows = new Map()
    for (const [at, id] of table.entries()) {
      const source = object(id) ?? NO_CELLS
      const known = before.get(id)
      const row = known?.object === source ? known : this.#read(id, source)
      row.at = at
      this.#rows.set(id, row)
    }
    if (!this.filters && !this.sorts) return
    if (!this.sorts) return this.#keep([...this.#rows.values()].filter(row => row.passes))
    // The order before comes first: what is nearly sorted is sorted quickly.
    const known = this.#ids.map(id => this.#rows.get(id)).filter(row => row !== undefined)
    const order = [...new Set([...known, ...this.#rows.values()])].filter(row => row.passes)
    this.#keep(order.sort(this.#compare))
  }

  /** A few rows changed: each is taken out and put where it belongs now, unless it stands there already. */
  #update(changed: ReadonlySet<string>, object: (row: string) => RowObject | undefined): void {
    const moved = new Set<Row>()
    const coming: Row[] = []
    for (const id of changed) {
      const known = this.#rows.get(id)
      const source = object(id) ?? NO_CELLS
      if (!known || known.object === source) continue
      const row = { ...this.#read(id, source), at: known.at }
      this.#rows.set(id, row)
      if (!known.passes && !row.passes) continue
      if (known.passes) moved.add(known)
      if (row.passes) coming.push(row)
    }
    if ((!this.filters && !this.sorts) || moved.size + coming.length === 0) return
    const order = this.#order.filter(row => !moved.has(row))
    for (const row of coming) order.splice(this.#place(order, row), 0, row)
    this.#keep(order)
  }

  #place(order: readonly Row[], row: Row): number {
    let low = 0
    let high = order.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#compare(order[middle]!, row) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #keep(order: Row[]): void {
    this.#order = order
    const ids = order.map(({ id }) => id)
    if (ids.length !== this.#ids.length || ids.some((id, at) => id !== this.#ids[at])) this.#ids = ids
  }

  #read(id: string, object: RowObject): Row {
    const cell = (column: string) => readCell(this.#find.get(column)!, object[column])
    const cells = this.#compared.map(column => {
      const reading = cell(column.id)
      return { reading, key: sortKey(column, reading) }
    })
    return { id, object, passes: this.#filter.tests.every(test => test(cell)), cells, at: 0 }
  }

  readonly #compare = (a: Row, b: Row): number => {
    for (const { cell, descending } of this.#keys) {
      const order = compareKeys(a.cells[cell]!.key, b.cells[cell]!.key, descending)
      if (order !== 0) return order
    }
    return a.at - b.at // equals stay as they stand in the table
  }

  #position(column: string): number {
    return this.#compared.findIndex(({ id }) => id === column)
  }

  /** Groups of the rows shown. A row in `held` stays in the group it stands in, whatever its cells say meanwhile. */
  groups(shown: readonly string[], held: ReadonlySet<string>): Group[] {
    if (this.group.length === 0) return []
    const cells = this.group.map(key => this.#position(key.column))
    const starts: { at: number; row: Row }[] = []
    shown.forEach((id, at) => {
      const row = this.#rows.get(id)
      const last = starts.at(-1)
      if (!row || (held.has(id) && last)) return
      const same = last && cells.every(cell => compareKeys(last.row.cells[cell]!.key, row.cells[cell]!.key, false) === 0)
      if (!same) starts.push({ at, row })
    })
    return starts.map(({ at, row }, number) => {
      const to = starts[number + 1]?.at ?? shown.length
      const key = cells.map(cell => toJson(row.cells[cell]!.reading))
      return { key, from: at, to, totals: this.totals(shown.slice(at, to)) }
    })
  }

  /** One for each aggregate of the view, null for one that is not followed. */
  totals(shown: readonly string[]): Json[] {
    const asks = this.#aggregates.some(item => item?.column)
    const rows = asks ? shown.map(id => this.#rows.get(id)).filter(row => row !== undefined) : []
    return this.#aggregates.map(item => {
      if (!item) return null
      return item.column === null ? shown.length : aggregate(item.op, rows, this.#position(item.column))
    })
  }
}
