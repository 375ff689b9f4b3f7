// Views from JSON, leniently: what this page does not understand is left out and named, never the whole view.

import {
  AGGREGATES,
  MAX_DEPTH,
  MAX_GROUPS,
  MAX_ITEMS,
  OPS,
  type Aggregate,
  type AggregateOp,
  type Filter,
  type Json,
  type Op,
  type Part,
  type Skipped,
  type Sort,
  type View,
} from "./view"

const COLUMN_ID = /^c[A-Za-z0-9_-]{1,64}$/

/** A table has more columns than a filter has conditions. */
const MAX_COLUMNS = 50 * MAX_ITEMS

export interface ReadView {
  name: string
  view: View
  skipped: Skipped[]
}

export function readView(json: Json): ReadView {
  return new Reader().read(json)
}

function field(json: Json, key: string): Json | undefined {
  return typeof json === "object" && json !== null && !Array.isArray(json) && Object.hasOwn(json, key) ? json[key] : undefined
}

export function shortened(json: Json): string {
  const text = JSON.stringify(json)
  return text.length > 80 ? `${text.slice(0, 80)}...` : text
}

class Reader {
  #part: Skipped["part"] = "name"
  #skipped: Skipped[] = []
  #conditions = 0

  read(json: Json): ReadView {
    const name = field(json, "name")
    if (name !== undefined && typeof name !== "string") this.#skip(`a name is a text, not ${shortened(name)}`)
    const view: View = {
      filter: this.#list(json, "filter", MAX_ITEMS, item => this.#filter(item, 1)) ?? [],
      sort: this.#list(json, "sort", MAX_ITEMS, item => this.#sort(item)) ?? [],
      columns: this.#list(json, "columns", MAX_COLUMNS, item => this.#columnId(item)),
      group: this.#list(json, "group", MAX_GROUPS, item => this.#sort(item)) ?? [],
      aggregates: this.#list(json, "aggregates", MAX_ITEMS, item => this.#aggregate(item)) ?? [],
    }
    return { name: typeof name === "string" ? name : "", view, skipped: this.#skipped }
  }

  #skip(why: string): null {
    if (this.#skipped.length < MAX_ITEMS) this.#skipped.push({ part: this.#part, why })
    return null
  }

  /** Null when the view has no such part. */
  #list<T>(view: Json, part: Part, limit: number, read: (item: Json) => T | null): T[] | null {
    this.#part = part
    const items = field(view, part)
    if (items === undefined || items === null) return null
    if (!Array.isArray(items)) {
      this.#skip(`expected a list, found ${shortened(items)}`)
      return []
    }
    if (items.length > limit) this.#skip(`there are ${items.length} items, at most ${limit} are read`)
    return items
      .slice(0, limit)
      .map(read)
      .filter((item): item is Awaited<T> & {} => item !== null)
  }

  #filter(json: Json, depth: number): Filter | null {
    this.#conditions++
    if (depth > MAX_DEPTH || this.#conditions > MAX_ITEMS) {
      return this.#skip(`at most ${MAX_ITEMS} conditions, nested at most ${MAX_DEPTH} deep, are read`)
    }
    for (const name of ["and", "or"] as const) {
      const items = field(json, name)
      if (items === undefined) continue
      if (!Array.isArray(items)) return this.#skip(`"${name}" takes a list, not ${shortened(items)}`)
      const inside = items.map(item => this.#filter(item, depth + 1)).filter(item => item !== null)
      return name === "and" ? { and: inside } : { or: inside }
    }
    const column = this.#column(json)
    if (column === null) return null
    const op = field(json, "op")
    if (typeof op !== "string") return this.#skip(`${shortened(json)} names no operator`)
    if (!OPS.includes(op as Op)) return this.#skip(`there is no operator "${op}"`)
    return { column, op: op as Op, value: field(json, "value") ?? null }
  }

  #sort(json: Json): Sort | null {
    const column = this.#column(json)
    if (column === null) return null
    const descending = field(json, "descending") ?? false
    if (typeof descending !== "boolean") return this.#skip(`"descending" is true or false, not ${shortened(descending)}`)
    return { column, descending }
  }

  #aggregate(json: Json): Aggregate | null {
    const op = field(json, "op")
    if (!AGGREGATES.includes(op as AggregateOp)) return this.#skip(`there is no aggregate ${shortened(op ?? null)}`)
    if (op === "count" && (field(json, "column") ?? null) === null) return { op, column: null }
    const column = this.#column(json)
    return column === null ? null : { op: op as AggregateOp, column }
  }

  #column(json: Json): string | null {
    const column = field(json, "column")
    return typeof column === "string" ? this.#columnId(column) : this.#skip(`${shortened(json)} names no column`)
  }

  #columnId(json: Json): string | null {
    if (typeof json !== "string") return this.#skip(`expected a column id, found ${shortened(json)}`)
    return COLUMN_ID.test(json) ? json : this.#skip(`not a column id: ${shortened(json)}`)
  }
}
