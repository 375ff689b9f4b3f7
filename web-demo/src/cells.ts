// How each kind of cell looks: chips, boxes, addresses, steppers. Drawn through RevoGrid's virtual tree, so only what
// differs touches the page.

import type { HyperFunc, VNode } from "@revolist/revogrid"
import type { Column } from "./model"
import { PALETTE, type Option } from "./options"
import { expects, fits, isIds, show, type Value } from "./values"

type Draw = HyperFunc<VNode>

export interface CellLook {
  class: Record<string, boolean>
  title?: string
}

/** Classes of a cell, and for one that does not fit its column what is expected of it. */
export function lookOf(column: Column, value: Value): CellLook {
  const odd = !fits(column, value)
  const look: CellLook = { class: { [`kind-${column.kind}`]: true, unfitting: odd } }
  if (odd) look.title = `This does not fit: ${column.name} takes ${expects(column.kind)}. It is kept as it is.`
  return look
}

export function drawCell(h: Draw, column: Column, value: Value): VNode | VNode[] {
  const text = show(value, column)
  if (!fits(column, value)) return h("span", { class: "value" }, text)
  switch (column.kind) {
    case "checkbox":
      return h("span", { class: value === true ? "check on" : "check", "aria-label": value === true ? "checked" : "not checked" })
    case "select":
    case "multiselect":
      return h("span", { class: "chips" }, chips(h, column, value))
    case "link":
      return h("span", { class: "value" }, isIds(value) ? links(h, value) : [])
    case "counter":
      return [stepper(h, -1), stepper(h, 1), h("span", { class: "value" }, text)]
    case "date":
      return [h("span", { class: "value" }, text), h("span", { class: "calendar", title: "Choose a day (Alt+Down)" })]
    case "longtext":
      return h("span", { class: "value" }, firstLine(text))
    default:
      return h("span", { class: "value" }, text)
  }
}

/** Options in the order of the column, not of their ids. */
function chips(h: Draw, column: Column, value: Value): VNode[] {
  const ids = isIds(value) ? value : [value]
  return column.options
    .filter(option => ids.includes(option.id))
    .map(option => h("span", { ...chipLook(option), key: option.id }, option.name || "Untitled"))
}

/** A colour of ours by its class, any other CSS colour as a variable; what is no colour is gray. */
export function chipLook({ color }: Pick<Option, "color">): { class: string; style?: Record<string, string> } {
  if ((PALETTE as readonly string[]).includes(color)) return { class: `chip hue-${color}` }
  // A custom property takes anything, so what comes from the document must be a colour and nothing else.
  return CSS.supports("color", color) ? { class: "chip", style: { "--chip": color } } : { class: "chip hue-gray" }
}

/** The same for an element of the page. */
export function paintChip(element: HTMLElement, option: Pick<Option, "color">): void {
  const look = chipLook(option)
  element.className = look.class
  element.removeAttribute("style")
  for (const [name, value] of Object.entries(look.style ?? {})) element.style.setProperty(name, value)
}

function stepper(h: Draw, by: 1 | -1): VNode {
  const title = by > 0 ? "One more (Alt+Up)" : "One less (Alt+Down)"
  return h("span", { class: `step ${by > 0 ? "up" : "down"}`, title, "aria-hidden": "true" }, by > 0 ? "+" : "−")
}

function links(h: Draw, ids: readonly string[]): VNode[] {
  return ids.flatMap((id, i) => {
    const href = addressOf(id)
    const label = id.replace(/^https?:\/\/(www\.)?/, "").replace(/\/$/, "")
    const link = href ? h("a", { href, target: "_blank", rel: "noopener noreferrer", class: "address", title: id }, label) : h("span", {}, id)
    return i === 0 ? [link] : [h("span", {}, ", "), link]
  })
}

/** Where an id leads, if anywhere. Only these schemes: anybody may write a `javascript:` into a cell. */
export function addressOf(id: string): string | null {
  if (/^(https?:\/\/|mailto:)\S+$/i.test(id)) return id
  return /^automerge:\w+$/.test(id) ? `#${id}` : null
}

function firstLine(text: string): string {
  const [first = "", ...rest] = text.split("\n")
  return rest.length > 0 ? `${first} …` : first
}
