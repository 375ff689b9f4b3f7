// The table as a view shows it: the one place that knows which row stands where on the screen.
//
// It is a Table whose rows and columns are those of the view; everything that names rows and columns by id is inherited.
// Without a view it is the table itself, at no cost. With one:
// - others' edits are followed once a frame, one's own rows never move under one's hands: a row that is selected, or was
//   just written or added here, stays where it stands until the selection leaves it;
// - what a view cannot follow is left out and named.

import type { DocHandle } from "@automerge/automerge-repo/slim"
import { blockOf } from "./ids"
import type { Column, ModelChange } from "./model"
import { byOrder } from "./order"
import type { TableDoc } from "./schema"
import type { Range } from "./selection"
import { Table } from "./table"
import { Evaluation, type Group, type RowObject } from "./view-evaluate"
import { fromDoc } from "./view-json"
import { prefilled } from "./view-prefill"
import { EVERYTHING, isEverything, type Aggregate, type Json, type Skipped, type View, type ViewColumn } from "./view"

const NOTHING: ModelChange = { cells: [], structure: false, title: false, remote: false }

export class ViewTable extends Table {
  #view: View = EVERYTHING
  /** Null while the table is shown as it is. */
  #evaluation: Evaluation | null = null
  #evaluated = ""
  #shown: readonly string[] | null = null
  #index = new Map<string, number>()
  #cols: readonly Column[] | null = null
  #groups: readonly Group[] = []
  #totals: readonly Json[] = []
  /** Rows that stay where they stand, each with the row it was put behind when it was added here ("" for the top). */
  #held = new Map<string, string | null>()
  #selected: () => Range = () => ({ top: 0, bottom: -1, left: 0, right: -1 })
  /** The rows written since the view was last followed; null: any may be. */
  #dirty: Set<string> | null = null
  #waiting = false
  #adding = false
  #telling = false
  #watchers = new Set<(change: ModelChange) => void>()

  constructor(
    handle: DocHandle<TableDoc>,
    author: () => string,
    private readonly soon: (run: () => void) => void = run => void requestAnimationFrame(run),
  ) {
    super(handle, author)
    super.subscribe(change => this.#follow(change))
  }

  override rows(): readonly string[] {
    return this.#shown ?? super.rows()
  }

  override cols(): readonly Column[] {
    return this.#cols ?? super.cols()
  }

  override rowIndex(row: string): number {
    return this.#shown ? (this.#index.get(row) ?? -1) : super.rowIndex(row)
  }

  override columnIndex(column: string): number {
    return this.#cols ? this.#cols.findIndex(({ id }) => id === column) : super.columnIndex(column)
  }

  override subscribe(listener: (change: ModelChange) => void): () => void {
    this.#watchers.add(listener)
    return () => this.#watchers.delete(listener)
  }

  /** All columns of the table, shown or not. */
  allCols(): readonly Column[] {
    return super.cols()
  }

  /** How many rows the table has, shown or not. */
  get rowCount(): number {
    return super.rows().length
  }

  /** Whether the table has a row that is not among those shown. */
  hides(row: string): boolean {
    return super.rowIndex(row) >= 0 && this.rowIndex(row) < 0
  }

  get view(): View {
    return this.#view
  }

  get groups(): readonly Group[] {
    return this.#groups
  }

  /** The rows that a heading stands above. */
  groupStarts(): readonly number[] {
    return this.#groups.map(({ from }) => from)
  }

  groupColumns(): readonly string[] {
    return this.#evaluation?.group.map(({ column }) => column) ?? []
  }

  /** The aggregates that are followed, with their values over the rows shown. */
  get totals(): { aggregate: Aggregate; value: Json }[] {
    return this.summed(this.#totals)
  }

  /** Values that stand one for each aggregate of the view, with the aggregates; without those not followed. */
  summed(values: readonly Json[]): { aggregate: Aggregate; value: Json }[] {
    const aggregates = this.#evaluation?.aggregates ?? []
    return aggregates.flatMap((aggregate, at) => (aggregate ? [{ aggregate, value: values[at] ?? null }] : []))
  }

  /** What of the view is not followed. */
  get skipped(): readonly Skipped[] {
    return this.#evaluation?.skipped ?? []
  }

  get filters(): boolean {
    return this.#evaluation?.filters ?? false
  }

  /** Where rows stand is for the sort to say: they cannot be moved by hand. */
  get sorts(): boolean {
    return this.#evaluation?.sorts ?? false
  }

  viewColumns(): ViewColumn[] {
    return super.cols().map(({ id, name, kind }) => ({ id, name, kind, options: this.optionsOf(id).map(option => option.id) }))
  }

  /** The options of a select or multiselect column in their order. */
  optionsOf(column: string): { id: string; name: string }[] {
    const options = (this.handle.doc().columns[column] as { options?: unknown } | undefined)?.options
    if (typeof options !== "object" || options === null) return []
    const text = (value: unknown) => String(fromDoc(value) ?? "")
    return Object.entries(options as Record<string, { name?: unknown; order?: unknown }>)
      .filter(([, option]) => typeof option === "object" && option !== null)
      .map(([id, { name, order }]) => ({ id, name: text(name), order: text(order) }))
      .sort(byOrder)
  }

  setView(view: View): void {
    this.#view = view
    this.#held.clear()
    this.#compile()
    this.#settle()
    this.#tell({ ...NOTHING, structure: true })
  }

  /** The selection keeps its rows in their places; `left` is to be called whenever it has moved. */
  holdSelection(selected: () => Range): { left(): void } {
    this.#selected = selected
    return { left: () => this.#release() }
  }

  /** Adds rows behind the row shown at `after`, with the cells that the view asks of its rows as far as it can be told. */
  override insertRows(after: number, count: number): string[] {
    if (!this.#evaluation) return super.insertRows(after, count)
    const rows = this.rows()
    const anchor = rows[after]
    // In front of the first row shown; in an empty view, at the end of the table.
    const before = anchor === undefined && rows[0] !== undefined ? super.rowIndex(rows[0]) - 1 : super.rows().length - 1
    this.#adding = true
    try {
      const added = super.insertRows(anchor === undefined ? before : super.rowIndex(anchor), count)
      added.forEach((row, at) => this.#held.set(row, added[at - 1] ?? anchor ?? ""))
      const cells = prefilled(this.#view, this.viewColumns(), column => (anchor === undefined ? null : this.get(anchor, column)))
      this.set(added.flatMap(row => cells.map(cell => ({ ...cell, row }))))
      return added
    } finally {
      this.#adding = false
      this.#frame({ ...NOTHING, structure: true })
    }
  }

  #follow(change: ModelChange): void {
    if (!this.#evaluation) return this.#tell(change)
    const asked = change.cells.some(({ column }) => this.#evaluation?.asked.has(column))
    if (asked) this.#hold(change)
    for (const { row } of change.cells) this.#dirty?.add(row)
    // One's own rows come and go at once, also with a step taken back: what is done next counts on them. Others' may wait.
    const back = asked && change.cells.some(({ row }) => this.rowIndex(row) < 0)
    if (change.structure) this.#dirty = null
    if ((change.structure || back) && !change.remote && !this.#adding) return this.#frame(change)
    if (asked || change.structure) this.#later()
    this.#tell({ ...change, structure: false })
  }

  #hold(change: ModelChange): void {
    const { top, bottom } = this.#selected()
    for (const { row } of change.cells) {
      const at = this.rowIndex(row)
      if (at < 0 || this.#held.has(row)) continue
      if (!change.remote || (at >= top && at <= bottom)) this.#held.set(row, null)
    }
  }

  #release(): void {
    // A selection that only follows its rows has not left them; a row just added is about to be selected.
    if (this.#held.size === 0 || this.#telling) return
    const { top, bottom } = this.#selected()
    for (const row of this.#held.keys()) {
      const at = this.rowIndex(row)
      if (at >= top && at <= bottom) continue
      this.#held.delete(row)
      this.#later()
    }
  }

  #later(): void {
    if (this.#waiting) return
    this.#waiting = true
    this.soon(() => this.#waiting && this.#frame())
  }

  #frame(change: ModelChange = { ...NOTHING, remote: true }): void {
    const [rows, cols, starts, evaluated] = [this.rows(), this.cols(), this.groupStarts(), this.#evaluated]
    this.#compile()
    this.#settle()
    const stay = rows === this.rows() && String(starts) === String(this.groupStarts())
    const same = stay && cols === this.cols() && evaluated === this.#evaluated
    this.#tell({ ...change, structure: change.structure || !same })
  }

  /** Compiles the view anew if it or the columns have changed; otherwise what is known of the rows is kept. */
  #compile(): void {
    if (isEverything(this.#view)) {
      this.#evaluation = null
      this.#evaluated = ""
      return
    }
    const columns = this.viewColumns()
    const evaluated = JSON.stringify([this.#view, columns])
    if (evaluated === this.#evaluated) return
    this.#evaluated = evaluated
    this.#evaluation = new Evaluation(this.#view, columns)
    this.#dirty = null
  }

  #settle(): void {
    this.#waiting = false
    const evaluation = this.#evaluation
    if (!evaluation) {
      this.#shown = this.#cols = null
      this.#groups = this.#totals = []
      return
    }
    const blocks = this.handle.doc().blocks
    const object = (row: string) => blocks[blockOf(row)]?.[row] as RowObject | undefined
    const table = super.rows()
    for (const row of this.#held.keys()) if (super.rowIndex(row) < 0) this.#held.delete(row)
    const arranged = evaluation.arrange(table, object, this.#dirty)
    this.#dirty = new Set()
    const shown = this.#held.size === 0 || arranged === table ? arranged : this.#keepHeld(arranged)
    if (!this.#shown || !sameList(this.#shown, shown)) {
      this.#shown = shown
      this.#index = new Map(shown.map((id, at) => [id, at]))
    }
    const byId = new Map(super.cols().map(column => [column.id, column]))
    const cols = evaluation.columns.flatMap(id => byId.get(id) ?? [])
    if (!this.#cols || JSON.stringify(cols) !== JSON.stringify(this.#cols)) this.#cols = cols
    this.#groups = evaluation.groups(this.#shown, new Set(this.#held.keys()))
    this.#totals = evaluation.totals(this.#shown)
  }

  /** Each held row stays behind the row it stood behind, or the nearest one above that is still there. */
  #keepHeld(arranged: readonly string[]): string[] {
    const free = arranged.filter(id => !this.#held.has(id))
    const there = new Set(free)
    const before = this.#shown ?? []
    const behind = new Map<string, string[]>()
    const place = (row: string, anchor: string) => behind.set(anchor, [...(behind.get(anchor) ?? []), row])
    let anchor = ""
    for (const row of before) {
      if (there.has(row)) anchor = row
      else if (this.#held.has(row)) place(row, anchor)
    }
    // Rows just added stand behind the one they were added behind, which may be held itself.
    const fresh = [...this.#held].filter(([row, after]) => after !== null && !this.#index.has(row))
    const shown: string[] = []
    const push = (row: string) => {
      if (row !== "") shown.push(row)
      for (const [added, after] of fresh) if (after === row) push(added)
    }
    const pushWith = (row: string) => {
      push(row)
      for (const held of behind.get(row) ?? []) push(held)
    }
    pushWith("")
    free.forEach(pushWith)
    return shown
  }

  #tell(change: ModelChange): void {
    this.#telling = true
    try {
      for (const watcher of this.#watchers) watcher(change)
    } finally {
      this.#telling = false
    }
  }
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((id, at) => id === b[at]))
}
