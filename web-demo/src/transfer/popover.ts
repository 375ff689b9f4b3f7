// A card that opens under its button: the browser closes it on Escape and on a click elsewhere, and keeps it on top.

import { make } from "./build"

/** Distance from the button and from the edges of the window, in pixels. */
const GAP = 6

/** `fill` makes the content anew at every opening. */
export function openUnder(button: HTMLButtonElement, card: HTMLElement, fill: () => void, closed: () => void): void {
  card.popover = "auto"
  button.popoverTargetElement = card
  button.setAttribute("aria-expanded", "false")
  button.after(card)
  card.addEventListener("beforetoggle", event => event.newState === "open" && fill())
  card.addEventListener("toggle", event => {
    const open = event.newState === "open"
    button.setAttribute("aria-expanded", String(open))
    if (!open) return leave(card, closed)
    place(button, card)
    card.querySelector<HTMLElement>("a, button")?.focus()
  })
  addEventListener("resize", () => card.matches(":popover-open") && place(button, card))
}

/** The focus goes back to the table, unless it is somewhere already. */
function leave(card: HTMLElement, closed: () => void): void {
  const { activeElement } = document
  if (activeElement === document.body || activeElement === null || card.contains(activeElement)) closed()
}

function place(button: HTMLElement, card: HTMLElement): void {
  const { left, bottom } = button.getBoundingClientRect()
  card.style.left = `${Math.max(GAP, Math.min(left, innerWidth - card.offsetWidth - GAP))}px`
  card.style.top = `${bottom + GAP}px`
}

/** A list of links that arrow keys walk through. */
export function menu(label: string, ...items: HTMLAnchorElement[]): HTMLElement {
  const list = make("div", { role: "menu", "aria-label": label }, ...items)
  for (const item of items) {
    item.setAttribute("role", "menuitem")
    item.tabIndex = -1
  }
  list.addEventListener("keydown", event => {
    const at = items.indexOf(document.activeElement as HTMLAnchorElement)
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 }[event.key]
    if (to === undefined) return
    event.preventDefault()
    items[to % items.length]?.focus()
  })
  return list
}
