// Conditions on rows. Each is compiled against its column once and then asked for every row.
//
// What does not compile (the column is gone, its kind has changed) says why and holds for no row and against none: it is
// left out.

import { compareText, type Reading } from "./view-cells"
import { stretch } from "./view-dates"
import { shortened } from "./view-read"
import { opFits, type Condition, type Filter, type Json, type Skipped, type ViewColumn } from "./view"

/** Asks one row, given its cells. */
export type Test = (cell: (column: string) => Reading) => boolean

type CellTest = (reading: Reading) => boolean

export interface Compiled {
  /** All of these must hold. */
  tests: Test[]
  columns: Set<string>
}

type Find = (id: string) => ViewColumn | undefined

export function compile(filters: readonly Filter[], find: Find, skipped: Skipped[]): Compiled {
  const columns = new Set<string>()
  const all = (inside: readonly Filter[]): Test[] => inside.map(one).filter(test => test !== null)
  const one = (filter: Filter): Test | null => {
    if ("and" in filter) {
      const tests = all(filter.and)
      return cell => tests.every(test => test(cell))
    }
    if ("or" in filter) {
      const tests = all(filter.or)
      // Nothing is left to choose from: the question is not asked.
      return tests.length === 0 ? null : cell => tests.some(test => test(cell))
    }
    const made = compileCondition(filter, find)
    if (typeof made === "string") {
      skipped.push({ part: "filter", why: made })
      return null
    }
    columns.add(filter.column)
    return cell => made(cell(filter.column))
  }
  return { tests: all(filters), columns }
}

/** The test, or in words why there is none. */
export function compileCondition(condition: Condition, find: Find): CellTest | string {
  const column = find(condition.column)
  if (!column) return `there is no column ${condition.column}`
  const { op, value } = condition
  if (!opFits(op, column.kind)) return `${op} does not apply to column "${column.name}" of kind ${column.kind}`
  const test = cellTest(condition, column)
  return test ?? `${op} on column "${column.name}" of kind ${column.kind} cannot compare with ${shortened(value)}`
}

const not = (test: CellTest | null): CellTest | null => test && (reading => !test(reading))

function cellTest({ op, value }: Condition, column: ViewColumn): CellTest | null {
  switch (op) {
    case "isEmpty":
      return reading => reading.is === "empty"
    case "isNotEmpty":
      return reading => reading.is !== "empty"
    case "equals":
      return equals(column.kind, value)
    case "notEquals":
      return not(equals(column.kind, value))
    case "anyOf":
      return anyOf(column.kind, value)
    case "noneOf":
      return not(anyOf(column.kind, value))
    case "contains":
    case "startsWith":
      return partOf(op, column.kind, value)
    case "between":
      return between(column.kind, value)
    default:
      return compared(op, column.kind, value)
  }
}

function equals(kind: string, value: Json): CellTest | null {
  switch (kind) {
    case "text":
    case "longtext":
    case "select":
      return typeof value === "string" ? reading => reading.is === "text" && reading.text === value : null
    case "checkbox":
      // An unticked box and an empty one are the same.
      if (typeof value !== "boolean") return null
      return reading => (reading.is === "checkbox" ? reading.yes === value : reading.is === "empty" && !value)
    case "number":
    case "counter":
      return typeof value === "number" ? reading => reading.is === "number" && reading.number === value : null
    case "date":
      return dates([value])
    default: {
      const wanted = strings(value)
      if (!wanted) return null
      const sorted = [...wanted].sort(compareText)
      return reading => reading.is === "ids" && reading.ids.length === sorted.length && sorted.every((id, at) => reading.ids[at] === id)
    }
  }
}

function anyOf(kind: string, value: Json): CellTest | null {
  if (!Array.isArray(value)) return null
  switch (kind) {
    case "number":
    case "counter":
      if (!value.every(item => typeof item === "number")) return null
      return reading => reading.is === "number" && value.includes(reading.number)
    case "date":
      return dates(value)
    default: {
      const wanted = strings(value)
      if (!wanted) return null
      return reading =>
        reading.is === "text" ? wanted.has(reading.text) : reading.is === "ids" && reading.ids.some(id => wanted.has(id))
    }
  }
}

function partOf(op: "contains" | "startsWith", kind: string, value: Json): CellTest | null {
  if (typeof value !== "string") return null
  if (kind === "multiselect" || kind === "link") return reading => reading.is === "ids" && reading.ids.includes(value)
  const wanted = value.toLowerCase()
  if (op === "contains") return reading => reading.is === "text" && reading.text.toLowerCase().includes(wanted)
  return reading => reading.is === "text" && reading.text.toLowerCase().startsWith(wanted)
}

function compared(op: "less" | "lessOrEqual" | "greater" | "greaterOrEqual", kind: string, value: Json): CellTest | null {
  if (kind === "date") {
    const day = typeof value === "string" ? stretch(value) : null
    if (!day) return null
    // What is later than a day is later than its end.
    if (op === "less") return within(-Infinity, day.start)
    if (op === "lessOrEqual") return within(-Infinity, day.end)
    return within(op === "greater" ? day.end : day.start, Infinity)
  }
  if (typeof value !== "number") return null
  const holds = {
    less: (number: number) => number < value,
    lessOrEqual: (number: number) => number <= value,
    greater: (number: number) => number > value,
    greaterOrEqual: (number: number) => number >= value,
  }[op]
  return reading => reading.is === "number" && holds(reading.number)
}

/** Both ends belong to it. */
function between(kind: string, value: Json): CellTest | null {
  if (!Array.isArray(value) || value.length !== 2) return null
  const [low, high] = value
  if (kind === "date") {
    const [from, to] = [low, high].map(text => (typeof text === "string" ? stretch(text) : null))
    return from && to ? within(from.start, to.end) : null
  }
  if (typeof low !== "number" || typeof high !== "number") return null
  return reading => reading.is === "number" && reading.number >= low && reading.number <= high
}

function dates(values: readonly Json[]): CellTest | null {
  const ranges = values.map(value => (typeof value === "string" ? stretch(value) : null))
  if (!ranges.every(range => range !== null)) return null
  return reading => reading.is === "date" && ranges.some(({ start, end }) => reading.start >= start && reading.start < end)
}

const within = (from: number, to: number): CellTest => {
  return reading => reading.is === "date" && reading.start >= from && reading.start < to
}

function strings(value: Json): Set<string> | null {
  return Array.isArray(value) && value.every(item => typeof item === "string") ? new Set(value) : null
}
