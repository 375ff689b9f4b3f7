// The row of faces at the top, one's own first, and the card where one may say one's name.

import type { Me } from "./person"
import type { Person } from "./presence"

const SHOWN = 4

export function drawFaces(host: HTMLElement, me: Me, others: readonly Person[], jumpTo: (peer: string) => void): void {
  // Cursors move many times a second; a face replaced between press and release would never be clicked.
  const shown = JSON.stringify([me, others.map(({ peer, name, color, away }) => [peer, name, color, away])])
  if (host.dataset.shown === shown) return
  host.dataset.shown = shown
  const own = face(me.name, me.color)
  own.classList.add("own")
  own.title = `${me.name} (you). Click to change the name.`
  own.setAttribute("aria-label", own.title)
  own.id = "me"
  const faces = others.slice(0, SHOWN - 1).map(person => {
    const button = face(person.name, person.color)
    button.dataset.peer = person.peer
    button.classList.toggle("away", person.away)
    button.title = person.away ? `${person.name} (not connected)` : `${person.name}. Click to go to their cell.`
    button.setAttribute("aria-label", button.title)
    button.addEventListener("click", () => jumpTo(person.peer))
    return button
  })
  const rest = others.slice(SHOWN - 1)
  if (rest.length > 0) {
    const more = document.createElement("span")
    more.className = "face more"
    more.textContent = `+${rest.length}`
    more.title = rest.map(person => person.name).join(", ")
    host.replaceChildren(own, ...faces, more)
  } else host.replaceChildren(own, ...faces)
}

function face(name: string, color: number): HTMLButtonElement {
  const button = document.createElement("button")
  button.className = "face"
  button.style.setProperty("--person", `var(--person-${color})`)
  button.textContent = initials(name)
  return button
}

function initials(name: string): string {
  const words = name.trim().split(/\s+/)
  const letters = words.length > 1 ? [words[0]!, words[words.length - 1]!] : [words[0]!]
  return letters
    .map(word => [...word][0] ?? "")
    .join("")
    .toUpperCase()
}

/** Opens the name card. It is no wall: the table can be used beside it, and Escape or "Not now" puts it away. */
export function askName(me: Me, chosen: (name: string) => void): void {
  const card = document.querySelector<HTMLFormElement>("#name-card")!
  const input = card.querySelector<HTMLInputElement>("input")!
  input.value = me.invented ? "" : me.name
  input.placeholder = me.name
  card.hidden = false
  const close = () => (card.hidden = true)
  card.onsubmit = event => {
    event.preventDefault()
    const name = input.value.trim()
    if (name) chosen(name)
    close()
  }
  card.querySelector<HTMLButtonElement>("[data-skip]")!.onclick = close
  card.onkeydown = event => event.key === "Escape" && close()
}
