// The field for what a condition compares with, by operator and kind.

import type { Condition, Json, Op } from "./view"
import { choice, el } from "./view-dom"

export interface Asked {
  kind: string
  options: readonly { id: string; name: string }[]
}

const LISTS: readonly Op[] = ["anyOf", "noneOf"]

export function takesValue(op: Op): boolean {
  return op !== "isEmpty" && op !== "isNotEmpty"
}

/** What of a value can be kept when the operator or the column becomes another. */
export function carried(op: Op, { kind, options }: Asked, value: Json): Json {
  if (!takesValue(op)) return null
  if (kind === "checkbox") return typeof value === "boolean" ? value : true
  const ids = kind === "multiselect" || kind === "link"
  const list = (Array.isArray(value) ? value : value === null ? [] : [value]).filter(item => fitsKind(kind, item, options))
  if (LISTS.includes(op) || (ids && op !== "contains")) return list.length > 0 ? list : null
  if (op === "between") return list.length === 2 ? list : null
  return list[0] ?? null
}

function fitsKind(kind: string, value: Json, options: Asked["options"]): boolean {
  if (kind === "number" || kind === "counter") return typeof value === "number"
  if (kind === "select" || kind === "multiselect") return options.some(option => option.id === value)
  if (kind === "date") return typeof value === "string" && /^\d{4}-/.test(value)
  return typeof value === "string"
}

/** `changed` gets null while the field says nothing that could be compared with. */
export function valueField({ op, value }: Condition, asked: Asked, changed: (value: Json) => void): HTMLElement {
  const { kind, options } = asked
  const ids = kind === "multiselect" || kind === "link"
  const list = LISTS.includes(op) || (ids && op !== "contains")
  if (!takesValue(op)) return el("span", { className: "value-field" })
  if (kind === "checkbox") {
    const boxes = [["true", "ticked"], ["false", "not ticked"]] as const
    return choice("Value", boxes, String(value ?? true), chosen => changed(chosen === "true"))
  }
  if (kind === "select" || kind === "multiselect") {
    if (list) return ticks(options, Array.isArray(value) ? value : [], changed)
    const offered = [["", "Choose…"] as const, ...options.map(({ id, name }) => [id, name] as const)]
    return choice("Value", offered, typeof value === "string" ? value : "", id => changed(id === "" ? null : id))
  }
  if (op === "between") {
    const ends = Array.isArray(value) ? [...value] : [null, null]
    const end = (at: 0 | 1, label: string) =>
      input(label, kind, ends[at] ?? null, given => {
        ends[at] = given
        changed(ends.every(item => item !== null) ? [...ends] : null)
      })
    return el("span", { className: "value-field pair" }, end(0, "From"), "to", end(1, "To"))
  }
  if (list) return commaList(kind, Array.isArray(value) ? value : [], changed)
  return input("Value", kind, Array.isArray(value) ? null : value, changed)
}

function input(label: string, kind: string, value: Json, changed: (value: Json) => void): HTMLInputElement {
  const numeric = kind === "number" || kind === "counter"
  // The browser's field for days has no place for a time that somebody else wrote.
  const day = kind === "date" && (value === null || /^\d{4}-\d\d-\d\d$/.test(String(value)))
  const field = el("input", { ariaLabel: label, type: numeric ? "number" : day ? "date" : "text", className: "value-field" })
  if (numeric) field.step = "any"
  field.placeholder = label
  field.value = value === null ? "" : String(value)
  field.oninput = () => {
    if (field.value === "") changed(null)
    else if (!numeric) changed(field.value)
    else if (Number.isFinite(field.valueAsNumber)) changed(field.valueAsNumber)
  }
  return field
}

function commaList(kind: string, values: readonly Json[], changed: (value: Json) => void): HTMLInputElement {
  const field = el("input", { ariaLabel: "Values, separated by commas", placeholder: "Values, separated by commas", className: "value-field" })
  field.value = values.join(", ")
  field.oninput = () => {
    const texts = field.value
      .split(",")
      .map(text => text.trim())
      .filter(text => text !== "")
    const given = kind === "number" || kind === "counter" ? texts.map(Number) : texts
    const known = given.every(item => typeof item === "string" || Number.isFinite(item))
    changed(known && given.length > 0 ? given : null)
  }
  return field
}

function ticks(options: Asked["options"], chosen: readonly Json[], changed: (value: Json) => void): HTMLElement {
  const ids = new Set(chosen)
  const boxes = options.map(({ id, name }) => {
    const box = el("input", { type: "checkbox", checked: ids.has(id) })
    box.onchange = () => {
      if (box.checked) ids.add(id)
      else ids.delete(id)
      changed(ids.size > 0 ? [...ids] : null)
    }
    return el("label", { className: "tick" }, box, name)
  })
  return el("span", { className: "value-field ticks", role: "group", ariaLabel: "Values" }, ...boxes)
}
