// What a row added to a view must hold to belong there, as far as that can be told: plain equalities that all must hold.

import type { Filter, View, ViewColumn } from "./view"
import { stretch } from "./view-dates"

export interface Prefilled {
  column: string
  value: string | number | boolean
}

/** `neighbour` reads the row it is added behind: it shares its group. */
export function prefilled(
  view: View,
  columns: readonly ViewColumn[],
  neighbour: (column: string) => unknown,
): Prefilled[] {
  const found = new Map<string, string | number | boolean>()
  const kinds = new Map(columns.map(column => [column.id, column]))
  const give = (id: string, value: unknown): void => {
    const column = kinds.get(id)
    if (column && fits(column, value)) found.set(id, value)
  }
  for (const { column } of view.group) give(column, neighbour(column))
  const walk = (filters: readonly Filter[]): void => {
    for (const filter of filters) {
      if ("and" in filter) walk(filter.and)
      else if ("or" in filter) {
        if (filter.or.length === 1) walk(filter.or)
      } else if (filter.op === "equals") give(filter.column, filter.value)
      else if (filter.op === "anyOf" && Array.isArray(filter.value) && filter.value.length === 1) give(filter.column, filter.value[0])
    }
  }
  walk(view.filter)
  // An unticked box and an empty one are the same, and an empty cell has no key.
  return [...found].filter(([, value]) => value !== false).map(([column, value]) => ({ column, value }))
}

/** Only kinds whose cell is one scalar: the others are not written as a whole. */
function fits(column: ViewColumn, value: unknown): value is string | number | boolean {
  switch (column.kind) {
    case "text":
      return typeof value === "string" && value !== ""
    case "number":
      return typeof value === "number"
    case "checkbox":
      return typeof value === "boolean"
    case "date":
      return typeof value === "string" && stretch(value) !== null
    case "select":
      return typeof value === "string" && column.options.includes(value)
    default:
      return false
  }
}
