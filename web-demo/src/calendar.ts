// The browser's own calendar at a date cell. Typing a date needs none of this.

import type { Place } from "./popover"

/** Shows it at `box` and hands over the day that was chosen (`2026-01-31`), or the empty text when it was cleared. */
export function openCalendar(box: Place, day: string, chosen: (day: string) => void, closed: () => void): void {
  const input = document.createElement("input")
  input.type = "date"
  input.className = "calendar-input"
  input.value = day
  input.setAttribute("aria-label", "Day")
  Object.assign(input.style, { left: `${box.left}px`, top: `${box.top}px`, width: `${box.width}px`, height: `${box.height}px` })
  document.body.append(input)
  let picked = false
  const end = () => {
    if (!input.isConnected) return
    input.remove()
    if (picked && input.value !== day) chosen(input.value)
    closed()
  }
  // The value changes with every arrow in the calendar; only the last one is meant.
  input.addEventListener("input", () => (picked = true))
  input.addEventListener("change", () => {
    if (document.activeElement !== input) end()
  })
  input.addEventListener("blur", end)
  input.addEventListener("keydown", event => {
    event.stopPropagation()
    if (event.key === "Escape") picked = false
    if (event.key === "Escape" || event.key === "Enter") end()
  })
  input.focus()
  try {
    input.showPicker()
  } catch {
    // Without a calendar of its own the field is there all the same, to type a day into.
  }
}
