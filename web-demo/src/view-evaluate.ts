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
  object: RowObject
  passes: boolean
  /** By the columns that are compared, see `#compared`. */
  cells: Cell[]
  /** Where it stands in the table. */
  at: number
}

export class Evaluation {
  /** What of the view is not followed. */
  readonly skipped: Skipped[] = []
  /** The visible columns in their order. */
  readonly columns: string[]
  /** The columns whose cells matter. */
  readonly asked: Set<string>
  readonly group: readonly Sort[]
  #filter: Compiled
  #keys: readonly Sort[]
  #aggregates: readonly (Aggregate | null)[]
  /** The columns that are sorted, grouped or summed. */
  #compared: ViewColumn[]
  #find: Map<string, ViewColumn>
  #rows = new Map<string, Row>()
  /** The order before: what is nearly sorted is sorted quickly. */
  #before: string[] = []

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
    this.#keys = [...this.group, ...sort]
    const compared = [...this.#keys.map(key => key.column), ...this.#aggregates.flatMap(item => item?.column ?? [])]
    this.#compared = columns.filter(column => compared.includes(column.id))
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

  /** The rows that pass, in their order. `table` are the live rows in document order. */
  arrange(table: readonly string[], object: (row: string) => RowObject | undefined): readonly string[] {
    if (this.asked.size === 0) return table
    const before = this.#rows
    this.#rows = new Map()
    table.forEach((id, at) => {
      const source = object(id) ?? {}
      const known = before.get(id)
      const row = known?.object === source ? known : this.#read(source)
      row.at = at
      this.#rows.set(id, row)
    })
    if (!this.filters && !this.sorts) return table
    const passing = table.filter(id => this.#rows.get(id)!.passes)
    return this.sorts ? this.#sort(passing) : passing
  }

  #read(object: RowObject): Row {
    const cell = (id: string) => readCell(this.#find.get(id)!, object[id])
    const cells = this.#compared.map(column => {
      const reading = cell(column.id)
      return { reading, key: sortKey(column, reading) }
    })
    return { object, passes: this.#filter.tests.every(test => test(cell)), cells, at: 0 }
  }

  #sort(passing: readonly string[]): readonly string[] {
    const left = new Set(passing)
    const known = this.#before.filter(id => left.delete(id))
    const rows = [...known, ...left].map(id => ({ id, row: this.#rows.get(id)! }))
    const keys = this.#keys.map(({ column, descending }) => ({ cell: this.#position(column), descending }))
    rows.sort((a, b) => {
      for (const { cell, descending } of keys) {
        const order = compareKeys(a.row.cells[cell]!.key, b.row.cells[cell]!.key, descending)
        if (order !== 0) return order
      }
      return a.row.at - b.row.at // equals stay as they stand in the table
    })
    return (this.#before = rows.map(({ id }) => id))
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
    return this.#aggregates.map(item => {
      if (!item) return null
      if (item.column === null) return shown.length
      const at = this.#position(item.column)
      return aggregate(item.op, shown.flatMap(id => this.#rows.get(id)?.cells[at] ?? []))
    })
  }
}
