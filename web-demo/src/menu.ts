// Menus: a list of deeds, by mouse or by keys, with lists behind some of them.

import { icon } from "./icons"
import { Popover, type Place } from "./popover"

export interface Item {
  label: string
  icon?: string
  /** Said quietly at the end of the line. */
  hint?: string
  /** One of several that exclude each other. */
  checked?: boolean
  danger?: boolean
  disabled?: boolean
  /** A line stands above it. */
  apart?: boolean
  run?(): void
  /** The list behind it. */
  items?(): Item[]
}

export interface MenuSetting {
  anchor(): Place
  label: string
  /** Stands above the items. */
  heading?: string
  items: readonly Item[]
  /** The button it belongs to. */
  opener?: Element | null
  /** Where the focus goes when nothing was chosen. */
  closed(): void
}

export function openMenu(setting: MenuSetting): void {
  const menu = new Popover({
    anchor: () => setting.anchor(),
    className: "column-menu",
    closed: () => {
      setting.opener?.removeAttribute("aria-expanded")
      if (document.activeElement === document.body) setting.closed()
    },
  })
  setting.opener?.setAttribute("aria-expanded", "true")
  const { element } = menu
  element.setAttribute("role", "menu")

  const show = (label: string, items: readonly Item[], back: (() => void) | null) => {
    element.setAttribute("aria-label", label)
    const rows: HTMLElement[] = items.flatMap(item => (item.apart ? [rule(), row(item)] : [row(item)]))
    if (back) rows.unshift(backRow(label, back), rule())
    else if (setting.heading) rows.unshift(heading(setting.heading))
    element.replaceChildren(...rows)
    menu.place()
    const checked = element.querySelector<HTMLElement>('[aria-checked="true"]')
    const first = element.querySelectorAll<HTMLElement>(FOCUSABLE)[back ? 1 : 0]
    const target = checked ?? first
    target?.focus()
  }
  const row = (item: Item) => {
    const button = line(item.label, item.icon)
    button.setAttribute("role", item.checked === undefined ? "menuitem" : "menuitemradio")
    if (item.checked !== undefined) button.setAttribute("aria-checked", String(item.checked))
    button.classList.toggle("danger", item.danger === true)
    button.disabled = item.disabled === true
    if (item.hint) button.append(span("hint", item.hint))
    if (item.items) {
      button.setAttribute("aria-haspopup", "menu")
      button.append(icon("next"))
    } else if (item.checked) button.append(icon("tick"))
    button.addEventListener("click", () => {
      if (item.items) return show(item.label, item.items(), () => show(setting.label, setting.items, null))
      menu.close()
      item.run?.()
      if (document.activeElement === document.body) setting.closed()
    })
    return button
  }
  const backRow = (label: string, back: () => void) => {
    const button = line(label, "back")
    button.classList.add("back")
    button.setAttribute("role", "menuitem")
    button.setAttribute("aria-label", `Back from ${label}`)
    button.addEventListener("click", back)
    return button
  }
  element.addEventListener("keydown", event => walk(event, element, () => menu.close()))
  element.addEventListener("pointermove", event => (event.target as Element).closest<HTMLElement>(FOCUSABLE)?.focus())
  element.addEventListener("contextmenu", event => event.preventDefault())
  show(setting.label, setting.items, null)
}

const FOCUSABLE = "button:not(:disabled)"

function walk(event: KeyboardEvent, element: HTMLElement, close: () => void): void {
  const lines = [...element.querySelectorAll<HTMLElement>(FOCUSABLE)]
  const at = lines.indexOf(document.activeElement as HTMLElement)
  const to = (index: number) => lines[(index + lines.length) % lines.length]?.focus()
  const held = lines[at]
  switch (event.key) {
    case "ArrowDown":
      to(at + 1)
      break
    case "ArrowUp":
      to(at < 0 ? lines.length - 1 : at - 1)
      break
    case "Home":
      to(0)
      break
    case "End":
      to(lines.length - 1)
      break
    case "ArrowRight":
      if (held?.ariaHasPopup === "menu") held.click()
      break
    case "ArrowLeft":
      element.querySelector<HTMLElement>(".back")?.click()
      break
    case "Tab":
      close()
      break
    default: {
      if (event.key.length !== 1 || event.key === " " || event.ctrlKey || event.metaKey || event.altKey) return
      const letter = event.key.toLowerCase()
      const ordered = [...lines.slice(at + 1), ...lines.slice(0, at + 1)]
      ordered.find(button => button.textContent?.trim().toLowerCase().startsWith(letter))?.focus()
    }
  }
  event.preventDefault()
  event.stopPropagation()
}

function line(label: string, image?: string): HTMLButtonElement {
  const button = document.createElement("button")
  button.type = "button"
  button.tabIndex = -1
  if (image) button.append(icon(image))
  button.append(span("label", label))
  return button
}

function span(name: string, text: string): HTMLElement {
  const element = document.createElement("span")
  element.className = name
  element.textContent = text
  return element
}

function heading(text: string): HTMLElement {
  const element = document.createElement("h3")
  element.textContent = text
  return element
}

function rule(): HTMLElement {
  const element = document.createElement("hr")
  element.setAttribute("role", "separator")
  return element
}
