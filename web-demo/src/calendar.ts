// The browser's own calendar at a date cell. Typing a date needs none of this.

import type { Place } from "./popover"

/** Shows it at `box` and hands over the day that was chosen (`2026-01-31`), or the empty text when it was cleared. */
export function openCalendar(box: Place, day: string, chosen: (day: string) => void, done: () => void): void {
  const input = document.createElement("input")
  input.type = "date"
  input.className = "calendar-input"
  input.value = day
  input.setAttribute("aria-label", "Day")
  Object.assign(input.style, { left: `${box.left}px`, top: `${box.top}px`, width: `${box.width}px`, height: `${box.height}px` })
  document.body.append(input)
  let picked = false
  let shown = false
  let over = false
  const end = () => {
    // Taking the field away is a blur of its own.
    if (over) return
    over = true
    input.remove()
    if (picked && input.value !== day) chosen(input.value)
    done()
  }
  // Arrows in the calendar are "input"; a click or Enter there closes it and is "change", and then this is done. Keys
  // that reach the field are typed into it, and there every digit is a "change": then Enter or a click elsewhere ends it.
  const closed = () => !CSS.supports("selector(:open)") || !input.matches(":open")
  input.addEventListener("input", () => (picked = true))
  input.addEventListener("change", () => {
    picked = true
    if (shown) requestAnimationFrame(() => closed() && end())
  })
  input.addEventListener("blur", end)
  input.addEventListener("keydown", event => {
    event.stopPropagation()
    shown = false
    if (event.key === "Escape") picked = false
    if (event.key === "Escape" || event.key === "Enter") end()
  })
  input.focus()
  try {
    input.showPicker()
    shown = true
  } catch {
    // Without a calendar of its own the field is there all the same, to type a day into.
  }
}
