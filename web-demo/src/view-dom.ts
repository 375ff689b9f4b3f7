// Small parts that the forms of views are made of: elements, buttons and choices.

import { icon } from "./icons"

type Child = Node | string | null

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children.filter(child => child !== null))
  return element
}

/** A button with an icon and no words on it. */
export function iconButton(image: string, label: string, run: () => void): HTMLButtonElement {
  return el("button", { type: "button", className: "quiet small", ariaLabel: label, title: label, onclick: run }, icon(image))
}

/** A choice of one of some texts. What is chosen but not offered is shown all the same, so that nothing changes unseen. */
export function choice<T extends string>(
  label: string,
  options: readonly (readonly [T, string])[],
  chosen: string,
  changed: (value: T) => void,
): HTMLSelectElement {
  const offered = options.some(([value]) => value === chosen) ? options : [[chosen, "(not there any more)"] as const, ...options]
  const select = el("select", { ariaLabel: label }, ...offered.map(([value, text]) => el("option", { value, textContent: text })))
  select.value = chosen
  select.onchange = () => changed(select.value as T)
  return select
}

const FOCUSABLE = "select:enabled, input:enabled, button:enabled"

/** Draws a form anew without taking the focus away: what stands in the same place has it afterwards. */
export function redraw(form: HTMLElement, ...children: Node[]): void {
  const at = [...form.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement!)
  form.replaceChildren(...children)
  if (at < 0) return
  const fields = form.querySelectorAll<HTMLElement>(FOCUSABLE)
  fields[Math.min(at, fields.length - 1)]?.focus()
}
