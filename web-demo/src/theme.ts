// Light or dark: what the system prefers, until the switch says otherwise on this device.

import { icon } from "./icons"

const KEY = "roundtable.theme"
const dark = matchMedia("(prefers-color-scheme: dark)")

export function startTheme(button: HTMLButtonElement): void {
  apply(button)
  dark.addEventListener("change", () => apply(button))
  button.addEventListener("click", () => {
    const next = current() === "dark" ? "light" : "dark"
    // Back to what the system wants is no choice any more, so that the page follows the system again.
    if (next === system()) localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, next)
    apply(button)
  })
}

function system(): "dark" | "light" {
  return dark.matches ? "dark" : "light"
}

function current(): "dark" | "light" {
  const chosen = localStorage.getItem(KEY)
  return chosen === "dark" || chosen === "light" ? chosen : system()
}

function apply(button: HTMLButtonElement): void {
  const theme = current()
  document.documentElement.dataset.theme = theme
  const other = theme === "dark" ? "light" : "dark"
  button.replaceChildren(icon(theme === "dark" ? "sun" : "moon"))
  button.title = `Switch to ${other} colours`
  button.setAttribute("aria-label", button.title)
}
