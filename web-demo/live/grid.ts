// The table on the page: a plain <table> with the rows at hand between two gaps as high as the others would be.
//
// Cells are named by the ids of row and column, so that a selection stays on its cell whatever comes in above it.

import { look } from "./cells"
import { live } from "./connection"
import { $, el, paint } from "./dom"
import type { Change, Column, Row, Spot, Value } from "./protocol"
import { text } from "./values"

/** As in the stylesheet. */
const ROW = 32

export const table = $<HTMLTableElement>("table")
const scroller = $("scroller")
const body = $("rows")

/** What is shown. */
export let view = live.view
let columns: readonly Column[] = []
const lines = new Map<string, { line: HTMLTableRowElement; row: Row }>()

/** The active cell, and the other end of what is selected. */
export let at: Spot | null = null
export let to: Spot | null = null
/** Where the end that moves stands, or stood when it was last at hand. */
let row = 0
let column = 0

// ---- places

const rowAt = (id: string): number => {
  const n = view.rows.findIndex(row => row.id === id)
  return n < 0 ? n : view.offset + n
}

const columnAt = (id: string): number => columns.findIndex(column => column.id === id)

export const columnOf = ({ fieldId }: Spot): Column => columns[columnAt(fieldId)]!

export const valueOf = ({ recordId, fieldId }: Spot): Value => lines.get(recordId)?.row.cells[fieldId] ?? null

export const cellOf = ({ recordId, fieldId }: Spot): HTMLElement | undefined => lines.get(recordId)?.line.cells[columnAt(fieldId) + 1]

function spotAt(row: number, column: number): Spot | null {
  const recordId = view.rows[row - view.offset]?.id
  const fieldId = columns[column]?.id
  return recordId && fieldId ? { recordId, fieldId } : null
}

/** The cell that an element of the page belongs to. */
export function spotOf(target: EventTarget | null): Spot | null {
  const cell = (target as Element).closest("td")
  // Before the rows there are the header and a gap.
  return cell && spotAt((cell.parentElement as HTMLTableRowElement).rowIndex - 2 + view.offset, cell.cellIndex - 1)
}

/** All cells from one to the other, as far as their rows are at hand. */
export function spotsFrom(from: Spot, to: Spot): Spot[] {
  const isIn = (n: number, a: number, b: number) => a >= 0 && b >= 0 && (n - a) * (n - b) <= 0
  const chosen = columns.filter((_, n) => isIn(n, columnAt(from.fieldId), columnAt(to.fieldId)))
  const rows = view.rows.filter((_, n) => isIn(n + view.offset, rowAt(from.recordId), rowAt(to.recordId)))
  return rows.flatMap(row => chosen.map(column => ({ recordId: row.id, fieldId: column.id })))
}

// ---- moving

export function select(spot: Spot, end: Spot | null = null): void {
  at = spot
  to = end
  settle()
}

/** The active cell goes where its row goes. Where row or column is gone, or has just been loaded, it is the one in its place. */
function settle(): void {
  const end = to ?? at
  const now = end ? rowAt(end.recordId) : -1
  const field = end ? columnAt(end.fieldId) : -1
  if (now >= 0) row = now
  // The last column may be gone.
  if (field >= 0) column = field
  else if (!columns[column]) column = 0
  if (now < 0 || field < 0) {
    at = spotAt(row, column) ?? at
    to = null
  }
}

/** Moves by so many rows and columns, if the table goes that far; with `extend` the other end of the selection stays. */
export function move(rows: number, fields: number, extend = false): boolean {
  if (row + rows < 0 || row + rows >= view.count || !columns[column + fields]) return false
  row += rows
  column += fields
  const spot = spotAt(row, column)
  if (extend) to = spot ?? to
  else {
    at = spot
    to = null
  }
  if (spot) cellOf(spot)?.scrollIntoView({ block: "nearest", inline: "nearest" })
  else scroller.scrollTop = row * ROW
  return true
}

scroller.onscroll = () => {
  const first = Math.floor(scroller.scrollTop / ROW)
  live.look(first, first + scroller.clientHeight / ROW)
}

// ---- drawing

export function draw(): void {
  view = live.view
  if (text(columns) !== text(live.columns)) drawHead()
  const { rows, offset, count } = view
  for (const [id, { line }] of lines) {
    if (rowAt(id) >= 0) continue
    line.remove()
    lines.delete(id)
  }
  let next = body.firstElementChild
  rows.forEach((row, n) => {
    const line = drawLine(row, offset + n)
    if (line === next) next = line.nextElementSibling
    else body.insertBefore(line, next)
  })
  // How many rows high the gaps are.
  table.style.cssText = `--above:${offset};--below:${count - offset - rows.length}`
  table.ariaRowCount = `${count + 1}`
  settle()
  drawMarks()
}

function drawHead(): void {
  columns = live.columns
  lines.clear()
  body.replaceChildren()
  const head = ({ name, kind, width = 100 + 4 * name.length }: Column) => el("th", { className: kind, width: `${width}` }, name)
  $("head").replaceChildren(el("th"), ...columns.map(head))
}

function drawLine(row: Row, index: number): HTMLElement {
  const known: { line: HTMLTableRowElement; row?: Row } | undefined = lines.get(row.id)
  const { line, row: was } = known ?? { line: el("tr", {}, el("th"), ...columns.map(() => el("td"))) }
  lines.set(row.id, { line, row })
  line.ariaRowIndex = `${index + 2}`
  line.cells[0]!.textContent = `${index + 1}`
  if (row === was) return line
  columns.forEach((column, n) => {
    const { id } = column
    line.cells[n + 1]!.replaceChildren(look(row.cells[id] ?? null, column, row.marked?.[id]))
  })
  return line
}

let marked: HTMLElement[] = []

/** One's own selection and where the others are, drawn by the stylesheet. */
function drawMarks(): void {
  for (const cell of marked) for (const name of ["id", "class", "style", "data-who", "data-draft"]) cell.removeAttribute(name)
  marked = []
  const mark = (spot: Spot, what: string, color = 0) => {
    const cell = cellOf(spot)
    if (!cell) return
    marked.push(cell)
    cell.classList.add(what)
    paint(cell, color)
    return cell
  }
  for (const { cursor, selection, typing, userName, color } of live.users) {
    if (selection) spotsFrom(selection.from, selection.to).forEach(spot => mark(spot, "theirs", color))
    const cell = cursor && mark(cursor, "them", color)
    if (!cell) continue
    cell.dataset.who = userName + (typing ? " is typing" : "")
    if (typing) cell.dataset.draft = typing.text
  }
  if (at && to) spotsFrom(at, to).forEach(spot => mark(spot, "in"))
  const cell = at && mark(at, "at")
  if (cell) cell.id = "at"
}

/** A short glow in the colour of whoever wrote. */
export function flash({ recordId, changes, userId, deviceId }: Change): void {
  const color = live.users.find(user => user.userId === userId)?.color ?? 6
  if (deviceId !== live.me.deviceId)
    changes?.forEach(({ fieldId }) => cellOf({ recordId, fieldId })?.animate({ background: [`var(--person-${color})`, ""] }, 1000))
}
