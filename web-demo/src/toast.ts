// Short notes at the foot of the page, read out by screen readers, with at most one thing to do about them.

const SHOWN_MS = 6000

export function toast(text: string, action?: { label: string; run(): void }): void {
  const host = document.querySelector<HTMLElement>("#toasts")!
  const note = document.createElement("div")
  note.className = "toast"
  note.append(text)
  if (action) {
    const button = document.createElement("button")
    button.textContent = action.label
    button.addEventListener("click", () => {
      note.remove()
      action.run()
    })
    note.append(button)
  }
  host.replaceChildren(note)
  setTimeout(() => note.remove(), SHOWN_MS)
}
