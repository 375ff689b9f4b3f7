// How each kind of cell looks.

import { el } from "./dom"
import type { Column, Value } from "./protocol"
import { list, show } from "./values"

export function look(value: Value, column: Column, expected: string | undefined): Node {
  const { kind, options = [], name } = column
  const ids = list(value).map(String)
  const box = el("span", { className: kind })
  // What does not fit its column is shown as it is.
  if (expected) box.title = `${name} takes ${expected}.`
  if (expected || /text|number|date/.test(kind)) box.append(show(value, column))
  else if (kind === "checkbox") box.append(el("i", { role: "checkbox", ariaChecked: `${value === true}` }))
  else if (kind === "counter") box.append(step("−", -1), step("+", 1), show(value, column))
  else if (kind === "link") box.append(...ids.map(link))
  // In the order of the column, not of their ids.
  else box.append(...options.filter(({ id }) => ids.includes(id)).map(chip))
  return box
}

function chip({ name, color = "gray" }: { name: string; color?: string }): Node {
  const chip = el("span", { className: "chip" }, name)
  // A hue of the stylesheet, or any other colour of CSS.
  chip.style.setProperty("--chip", /^\w+$/.test(color) ? `var(--hue-${color},${color})` : color)
  return chip
}

/** Only these schemes: anybody may write a `javascript:` into a cell. */
const link = (id: string): Node | string =>
  /^(https?:|mailto:)/i.test(id) ? el("a", { href: id, target: "_blank", rel: "noopener" }, id.replace(/^\w+:\/*/, "")) : `${id} `

const step = (text: string, by: number): Node => el("button", { value: String(by), tabIndex: -1 }, text)
