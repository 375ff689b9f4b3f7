// What one can do with columns: add, rename, move, change the kind and the options, delete. Every deed is one undo step.

import type { ColumnEdit } from "./columndoc"
import { newColumnId, newOptionId } from "./ids"
import type { Column, Edit } from "./model"
import { nextColor, optionNamed, optionsNamed, type Option } from "./options"
import { placeAfter, type Placed } from "./order"
import { MAX_OPTIONS, type ColumnDoc, type Kind } from "./schema"
import type { Table } from "./table"
import { asName, scalar } from "./text"
import type { Step, Undo } from "./undo"
import { fits, isIds, parse, show, type Value } from "./values"

export const KIND_NAMES: Record<Kind, string> = {
  text: "Text",
  longtext: "Long text",
  number: "Number",
  counter: "Counter",
  checkbox: "Checkbox",
  date: "Date",
  select: "Select",
  multiselect: "Multiselect",
  link: "Link",
}

/** A column with more different texts than this is not about to choose between them. */
export const MAX_CONVERTED_OPTIONS = 200

export const hasOptions = (kind: Kind): boolean => kind === "select" || kind === "multiselect"

/** Where a column shall stand: next to another one, by id, or behind all. */
export type Beside = { before: string } | { after: string } | "end"

export class Columns {
  constructor(
    readonly table: Table,
    private readonly undoing: Undo,
  ) {}

  /** Adds a column and returns its id. */
  add(kind: Kind, beside: Beside, name = this.#freeName(KIND_NAMES[kind])): string {
    const id = newColumnId()
    const { key, rekeyed } = this.#place(id, beside)
    const column: ColumnDoc = { name: scalar(asName(name)), kind: scalar(kind), order: scalar(key) }
    if (hasOptions(kind)) column.options = {}
    const columns = rekeyed.map(placed => this.#edit(placed.id, ["order"], placed.order))
    this.table.setColumnProperties(columns)
    this.table.insertColumn(id, column)
    this.undoing.record({ columns, insertedColumns: [id] })
    return id
  }

  rename(id: string, name: string): void {
    const wanted = asName(name)
    if (wanted !== "") this.#apply([this.#edit(id, ["name"], wanted)])
  }

  /** Touches no cell: what does not fit the new kind is shown as it is, and marked. */
  setKind(id: string, kind: Kind): void {
    this.#apply([this.#edit(id, ["kind"], kind)])
  }

  resize(id: string, width: number): void {
    this.#apply([this.#edit(id, ["width"], Math.round(width))])
  }

  move(id: string, beside: Beside): void {
    if (beside !== "end" && Object.values(beside)[0] === id) return
    const { key, rekeyed } = this.#place(id, beside)
    this.#apply([...rekeyed.map(placed => this.#edit(placed.id, ["order"], placed.order)), this.#edit(id, ["order"], key)])
  }

  remove(id: string): void {
    this.table.deleteColumns([id])
    this.undoing.record({ deletedColumns: [id] })
  }

  restore(id: string): void {
    this.table.restoreColumns([id])
    this.undoing.record({ insertedColumns: [id] })
  }

  /** Adds options of these names behind the others and returns their ids; a name that is there is not added again. */
  addOptions(id: string, names: readonly string[]): string[] {
    const { edits, options } = this.#newOptions(id, names)
    this.#apply(edits)
    return names.map(name => optionNamed(options, asName(name))?.id).filter(option => option !== undefined)
  }

  renameOption(id: string, option: string, name: string): void {
    const wanted = asName(name)
    if (wanted !== "") this.#apply([this.#edit(id, ["options", option, "name"], wanted)])
  }

  recolorOption(id: string, option: string, color: string): void {
    this.#apply([this.#edit(id, ["options", option, "color"], color)])
  }

  /** Moves an option to another place in the list. */
  moveOption(id: string, option: string, to: number): void {
    const others = this.#options(id).filter(other => other.id !== option)
    const { keys, rekeyed } = placeAfter(others, Math.max(0, Math.min(to, others.length)) - 1, 1)
    const order = (placed: Placed) => this.#edit(id, ["options", placed.id, "order"], placed.order)
    this.#apply([...rekeyed.map(order), order({ id: option, order: keys[0]! })])
  }

  /** Cells that hold it keep it, and are marked. */
  removeOption(id: string, option: string): void {
    this.#apply([this.#edit(id, ["options", option], undefined)])
  }

  /** How many cells `convert` would look at. */
  unfitting(id: string): number {
    const column = this.table.column(id)
    return column ? this.#misfits(column).length : 0
  }

  /**
   * Reads the cells that do not fit as if somebody had typed them, and writes those that fit then. Of a select, what the
   * cells hold becomes options; of a text that was one, the names of its options. Returns how many cells were changed.
   */
  convert(id: string): number {
    const column = this.table.column(id)
    if (!column) return 0
    const odd = this.#misfits(column)
    const texts = odd.map(({ value }) => show(value, { kind: "multiselect", options: column.options }).trim())
    const names = hasOptions(column.kind) ? texts.flatMap(text => namesIn(column, text)) : []
    const few = new Set(names).size <= MAX_CONVERTED_OPTIONS
    const { edits, options } = this.#newOptions(id, few ? names : [])
    const cells = odd.flatMap(({ row, value }, i) => {
      const after = parse(column.kind, texts[i]!, options)
      return after === undefined ? [] : [{ row, column: id, before: value, after }]
    })
    this.table.setColumnProperties(edits)
    this.table.set(cells.map(({ row, column, after }): Edit => ({ row, column, value: after })))
    this.undoing.record({ columns: edits, cells })
    return cells.length
  }

  /** An id of an option fits a column of text to the letter, but is nothing that a person would want to read there. */
  #misfits(column: Column): { row: string; value: Value }[] {
    const text = column.kind === "text" || column.kind === "longtext"
    const ids = new Set(text ? column.options.map(option => option.id) : [])
    return this.table
      .allRows()
      .map(row => ({ row, value: this.table.get(row, column.id) }))
      .filter(({ value }) => {
        if (typeof value === "object" && !isIds(value)) return false
        return !fits(column, value) || (typeof value === "string" && ids.has(value))
      })
  }

  #options(id: string): readonly Option[] {
    return this.table.column(id)?.options ?? []
  }

  /** The edits that add the names which are no option yet, and the options as they are then. */
  #newOptions(id: string, names: readonly string[]): { edits: ColumnEdit[]; options: Option[] } {
    const options = [...this.#options(id)]
    const edits: ColumnEdit[] = []
    const wanted = new Set(names.map(asName).filter(name => name !== ""))
    for (const name of wanted) {
      if (options.length >= MAX_OPTIONS || optionNamed(options, name)) continue
      const order = placeAfter(options, options.length - 1, 1).keys[0]!
      const option = { id: newOptionId(), name, color: nextColor(options), order }
      options.push(option)
      edits.push(this.#edit(id, ["options", option.id], { name, order, color: option.color }))
    }
    return { edits, options }
  }

  #place(id: string, beside: Beside): { key: string; rekeyed: Placed[] } {
    const others = this.table.placedColumns().filter(placed => placed.id !== id)
    const index = (other: string) => others.findIndex(placed => placed.id === other)
    let after = others.length - 1
    if (beside !== "end") {
      const found = "before" in beside ? index(beside.before) : index(beside.after) + 1
      if (found >= 0) after = found - 1
    }
    const { keys, rekeyed } = placeAfter(others, after, 1)
    return { key: keys[0]!, rekeyed }
  }

  #freeName(name: string): string {
    const taken = new Set(this.table.placedColumns().map(({ id }) => this.table.column(id)?.name))
    let number = 1
    while (taken.has(number === 1 ? name : `${name} ${number}`)) number++
    return number === 1 ? name : `${name} ${number}`
  }

  #edit(column: string, path: readonly string[], after: ColumnEdit["after"]): ColumnEdit {
    return { column, path, before: this.table.columnProperty(column, path), after }
  }

  #apply(columns: readonly ColumnEdit[]): void {
    const changing = columns.filter(edit => edit.before !== edit.after)
    this.table.setColumnProperties(changing)
    this.undoing.record({ columns: changing } satisfies Partial<Step>)
  }
}

/** What of a text would have to become an option for it to fit. */
function namesIn(column: Column, text: string): string[] {
  if (column.kind === "select") return optionNamed(column.options, text) ? [] : [text]
  return optionsNamed(column.options, text).unknown
}
