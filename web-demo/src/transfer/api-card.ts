// The card behind the button "API": two lines for a shell, ready for this table, and the way to all the others.

import { make } from "./build"
import { readLine, writeLine } from "./curl"
import type { Place } from "./place"

/** How long a button says that it has copied. */
const COPIED_MS = 1500

export function apiCard(place: Place): HTMLElement {
  const origin = location.origin
  return make(
    "div",
    {},
    make("p", {}, "Programs work on this table while people do. What they write is here at once."),
    line("Read the rows", readLine(origin, place.id(), place.currentView())),
    line("Add a row", writeLine(origin, place.id(), place.table.cols())),
    make(
      "p",
      { class: "more" },
      make("a", { href: `/docs?table=${encodeURIComponent(place.id())}`, target: "_blank", rel: "noopener" }, "All calls, to read and to try out"),
    ),
  )
}

function line(title: string, text: string): HTMLElement {
  const button = make("button", { class: "quiet", "aria-label": `Copy: ${title}` }, "Copy")
  button.addEventListener("click", () => void copy(button, text, code))
  const code = make("code", {}, text)
  return make("section", {}, make("header", {}, make("h3", {}, title), button), make("pre", { tabindex: "0", "aria-label": title }, code))
}

async function copy(button: HTMLButtonElement, text: string, code: HTMLElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    button.textContent = "Copied"
  } catch {
    // Not allowed (or not a secure address): select it, so that a key copies it.
    getSelection()?.selectAllChildren(code)
    button.textContent = "Press Ctrl+C"
  }
  setTimeout(() => (button.textContent = "Copy"), COPIED_MS)
}
