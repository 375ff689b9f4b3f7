// The form for the filter of a view: conditions and groups of conditions, written as soon as they can be asked.

import { OPS, opFits, type Condition, type Filter, type Op } from "./view"
import type { ViewDesk } from "./view-desk"
import { choice, el, iconButton, redraw } from "./view-dom"
import { carried, takesValue, valueField, type Asked } from "./view-value-form"
import { opWords } from "./view-words"

interface Joined {
  join: "and" | "or"
  items: (Joined | Condition)[]
}

/** Groups are offered this deep; deeper ones by another hand are shown. */
const OFFERED_DEPTH = 2

/** Somebody who types a word into a field does not mean a version of the view for each letter. */
const PAUSE_MS = 200

export class FilterForm {
  readonly element = el("div", { className: "filter-form" })
  #root: Joined
  #written = ""
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly desk: ViewDesk) {
    this.#root = toJoined(desk.view.filter)
    if (this.#root.items.length === 0) this.#add(this.#root)
    this.#written = JSON.stringify(desk.view.filter)
    this.#draw()
  }

  /** Somebody else may have changed the filter meanwhile; one's own half-made conditions stay as long as nobody has. */
  follow(): void {
    const there = JSON.stringify(this.desk.view.filter)
    if (there === this.#written) return
    this.#written = there
    this.#root = toJoined(this.desk.view.filter)
    this.#draw()
  }

  /** Writes what has not been written yet. */
  flush(): void {
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    const filter = fromJoined(this.#root)
    if (JSON.stringify(filter) === this.#written) return
    this.#written = JSON.stringify(filter)
    this.desk.edit("filter", filter)
  }

  #write(pause: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.flush(), pause)
    if (pause === 0) this.flush()
  }

  #changed(): void {
    this.#write(0)
    this.#draw()
  }

  #draw(): void {
    redraw(this.element, this.#group(this.#root, 0, null))
  }

  #group(group: Joined, depth: number, remove: (() => void) | null): HTMLElement {
    const join = choice("Which conditions must hold", [["and", "All of these hold"], ["or", "Any of these holds"]], group.join, value => {
      group.join = value
      this.#changed()
    })
    const items = group.items.map((item, at) => {
      const drop = () => {
        group.items.splice(at, 1)
        this.#changed()
      }
      return "join" in item ? this.#group(item, depth + 1, drop) : this.#condition(item, drop)
    })
    const add = el("button", { type: "button", className: "quiet", onclick: () => (this.#add(group), this.#changed()) }, "Add condition")
    const nest = el("button", { type: "button", className: "quiet" }, "Add group")
    nest.onclick = () => {
      const inside: Joined = { join: group.join === "and" ? "or" : "and", items: [] }
      this.#add(inside)
      group.items.push(inside)
      this.#changed()
    }
    const head = el("div", { className: "line" }, join, remove ? iconButton("close", "Remove this group", remove) : null)
    const foot = el("div", { className: "line" }, add, depth + 1 < OFFERED_DEPTH ? nest : null)
    const className = depth === 0 ? "conditions" : "conditions nested"
    return el("div", { className, role: "group", ariaLabel: depth === 0 ? "Filter" : "Group of conditions" }, head, ...items, foot)
  }

  #condition(item: Condition, remove: () => void): HTMLElement {
    const columns = this.desk.table.allCols()
    const column = columns.find(({ id }) => id === item.column)
    const asked = this.#asked(item.column)
    const which = choice("Column", columns.map(({ id, name }) => [id, name] as const), item.column, id => {
      item.column = id
      const now = this.#asked(id)
      if (!opFits(item.op, now.kind)) item.op = firstOp(now.kind)
      item.value = carried(item.op, now, item.value)
      this.#changed()
    })
    const ops = OPS.filter(op => opFits(op, asked.kind)).map(op => [op, opWords(op, asked.kind)] as const)
    const how = choice<Op>("Operator", ops, item.op, op => {
      item.op = op
      item.value = carried(op, asked, item.value)
      this.#changed()
    })
    const value = column
      ? valueField(item, asked, given => {
          item.value = given
          this.#write(PAUSE_MS)
        })
      : el("span", { className: "value-field warning" }, "This column was deleted")
    return el("div", { className: "line condition", role: "group", ariaLabel: "Condition" }, which, how, value, iconButton("close", "Remove this condition", remove))
  }

  #asked(column: string): Asked {
    const kind = this.desk.table.allCols().find(({ id }) => id === column)?.kind ?? ""
    return { kind, options: this.desk.table.optionsOf(column) }
  }

  #add(group: Joined): void {
    const columns = this.desk.table.allCols()
    const last = group.items.at(-1)
    const column = columns.find(({ id }) => last && "column" in last && id === last.column) ?? columns[0]
    if (!column) return
    const op = firstOp(column.kind)
    group.items.push({ column: column.id, op, value: carried(op, this.#asked(column.id), null) })
  }
}

function firstOp(kind: string): Op {
  if (kind === "text" || kind === "longtext" || kind === "multiselect" || kind === "link") return "contains"
  return opFits("equals", kind) ? "equals" : "isNotEmpty"
}

function toJoined(filter: readonly Filter[]): Joined {
  const convert = (item: Filter): Joined | Condition => {
    if ("and" in item) return { join: "and", items: item.and.map(convert) }
    if ("or" in item) return { join: "or", items: item.or.map(convert) }
    return { ...item }
  }
  const [only] = filter
  if (filter.length === 1 && only && "or" in only) return { join: "or", items: only.or.map(convert) }
  return { join: "and", items: filter.map(convert) }
}

/** Leaves out what is only half said. */
function fromJoined({ join, items }: Joined): Filter[] {
  const convert = (item: Joined | Condition): Filter[] => {
    if (!("join" in item)) return takesValue(item.op) && item.value === null ? [] : [{ ...item }]
    const inside = item.items.flatMap(convert)
    if (inside.length === 0) return []
    return [item.join === "and" ? { and: inside } : { or: inside }]
  }
  const inside = items.flatMap(convert)
  return join === "and" || inside.length === 0 ? inside : [{ or: inside }]
}
