// The words for operators, aggregates and values.

import type { AggregateOp, Json, Op } from "./view"

const ORDERED: Partial<Record<Op, string>> = { less: "<", lessOrEqual: "≤", greater: ">", greaterOrEqual: "≥", equals: "=", notEquals: "≠" }
const DATED: Partial<Record<Op, string>> = {
  less: "is before",
  lessOrEqual: "is on or before",
  greater: "is after",
  greaterOrEqual: "is on or after",
}
const WORDS: Record<Op, string> = {
  equals: "is",
  notEquals: "is not",
  contains: "contains",
  startsWith: "starts with",
  less: "<",
  lessOrEqual: "≤",
  greater: ">",
  greaterOrEqual: "≥",
  between: "is between",
  isEmpty: "is empty",
  isNotEmpty: "is not empty",
  anyOf: "is any of",
  noneOf: "is none of",
}

export function opWords(op: Op, kind: string): string {
  if (kind === "number" || kind === "counter") return ORDERED[op] ?? WORDS[op]
  if (kind === "date") return DATED[op] ?? WORDS[op]
  if (kind === "multiselect" || kind === "link") {
    if (op === "anyOf") return "has any of"
    if (op === "noneOf") return "has none of"
  }
  return WORDS[op]
}

export const AGGREGATE_WORDS: Record<AggregateOp, string> = {
  count: "Rows",
  countFilled: "Filled",
  sum: "Sum",
  average: "Average",
  min: "Min",
  max: "Max",
}

/** As Rust and docs name them, for dates. */
export function aggregateWords(op: AggregateOp, kind: string): string {
  if (kind === "date" && op === "min") return "Earliest"
  if (kind === "date" && op === "max") return "Latest"
  return AGGREGATE_WORDS[op]
}

/** Both directions of a sort, in the words of the kind. */
export function directionWords(kind: string): [ascending: string, descending: string] {
  switch (kind) {
    case "number":
    case "counter":
      return ["1 → 9", "9 → 1"]
    case "date":
      return ["Earliest first", "Latest first"]
    case "checkbox":
      return ["Not ticked first", "Ticked first"]
    case "select":
    case "multiselect":
      return ["First option first", "Last option first"]
    default:
      return ["A → Z", "Z → A"]
  }
}

const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 4 })

export function valueWords(value: Json, kind: string, options: readonly { id: string; name: string }[]): string {
  const named = (id: Json) => options.find(option => option.id === id)?.name ?? String(id)
  if (typeof value === "number") return NUMBER.format(value)
  if (kind === "checkbox" && (value === null || typeof value === "boolean")) return value ? "Ticked" : "Not ticked"
  if (value === null) return "Empty"
  if (Array.isArray(value)) return value.map(named).join(", ")
  return kind === "select" ? named(value) : String(value)
}
