// Small parts that the forms of views are made of: elements, choices, popups and menus.

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

/** Opens a card under a button; Escape and a press elsewhere close it. The same button closes it again. */
export function openPopup(anchor: HTMLElement, label: string, content: HTMLElement, closed: () => void = () => {}): () => void {
  const card = el("div", { className: "card popup", popover: "auto", role: "dialog", ariaLabel: label, tabIndex: -1 }, content)
  document.body.append(card)
  anchor.setAttribute("aria-expanded", "true")
  card.addEventListener("toggle", event => {
    if ((event as ToggleEvent).newState !== "closed") return
    card.remove()
    anchor.setAttribute("aria-expanded", "false")
    closed()
  })
  // Keys belong to the form, not to the table.
  card.addEventListener("keydown", event => event.stopPropagation())
  card.showPopover()
  const place = () => {
    const at = anchor.getBoundingClientRect()
    const { offsetWidth: width, offsetHeight: height } = card
    const left = Math.max(8, Math.min(at.left, innerWidth - width - 8))
    const below = at.bottom + 6 + height <= innerHeight || at.top < innerHeight / 2
    card.style.left = `${left}px`
    card.style.top = below ? `${at.bottom + 6}px` : `${Math.max(8, at.top - 6 - height)}px`
    card.style.maxHeight = `${below ? innerHeight - at.bottom - 14 : at.top - 14}px`
  }
  place()
  new ResizeObserver(place).observe(card)
  const first = card.querySelector<HTMLElement>(".condition select") ?? card.querySelector<HTMLElement>(FOCUSABLE) ?? card
  first.focus()
  return () => card.isConnected && card.hidePopover()
}

export interface Item {
  label: string
  run(): void
  /** Shown with a tick. */
  chosen?: boolean
  disabled?: boolean
}

/** A menu under a button: arrow keys move, Enter does. */
export function openMenu(anchor: HTMLElement, label: string, items: readonly Item[], closed?: () => void): void {
  const list = el("div", { className: "menu", role: "menu", ariaLabel: label })
  const close = () => dismiss()
  for (const { label, run, chosen, disabled } of items) {
    const role = chosen === undefined ? "menuitem" : "menuitemradio"
    const item = el("button", { type: "button", className: "quiet", role, disabled: disabled === true }, label)
    if (chosen !== undefined) item.ariaChecked = String(chosen)
    item.onclick = () => {
      close()
      run()
    }
    list.append(item)
  }
  list.onkeydown = event => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0
    if (step === 0) return
    event.preventDefault()
    const buttons = [...list.querySelectorAll<HTMLButtonElement>("button:enabled")]
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement)
    buttons[(at + step + buttons.length) % buttons.length]?.focus()
  }
  const dismiss = openPopup(anchor, label, list, closed)
}
