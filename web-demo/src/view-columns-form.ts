// The form for which columns a view shows, and in which order.

import type { ViewDesk } from "./view-desk"
import { el, iconButton, redraw } from "./view-dom"

export class ColumnsForm {
  readonly element = el("div", { className: "columns-form" })
  #written = ""

  constructor(private readonly desk: ViewDesk) {
    this.#draw()
  }

  follow(): void {
    if (this.#state() !== this.#written) this.#draw()
  }

  #state(): string {
    return JSON.stringify([this.desk.view.columns, this.desk.table.allCols()])
  }

  #edit(shown: readonly string[], focus: string): void {
    const all = this.desk.table.allCols().map(({ id }) => id)
    // All columns in their own order: new ones shall be shown too.
    const everything = all.length === shown.length && all.every((id, at) => shown[at] === id)
    this.desk.edit("columns", everything ? null : [...shown])
    this.#draw()
    this.element.querySelector<HTMLElement>(`[data-key="${focus}"]`)?.focus()
  }

  #draw(): void {
    this.#written = this.#state()
    const { table, view } = this.desk
    const all = table.allCols()
    const there = new Set(all.map(({ id }) => id))
    const shown = (view.columns ?? all.map(({ id }) => id)).filter(id => there.has(id))
    const hidden = all.filter(({ id }) => !shown.includes(id))
    const lines = [...shown.map(id => all.find(column => column.id === id)!), ...hidden].map(({ id, name }) => {
      const at = shown.indexOf(id)
      const box = el("input", { type: "checkbox", checked: at >= 0 })
      box.dataset.key = `box-${id}`
      box.onchange = () => this.#edit(box.checked ? [...shown, id] : shown.filter(other => other !== id), `box-${id}`)
      const move = (by: 1 | -1, image: string, label: string) => {
        const button = iconButton(image, `${label} ${name}`, () => {
          const moved = shown.filter(other => other !== id)
          moved.splice(at + by, 0, id)
          this.#edit(moved, `${image}-${id}`)
        })
        button.dataset.key = `${image}-${id}`
        button.disabled = at < 0 || shown[at + by] === undefined
        return button
      }
      return el("div", { className: "line" }, el("label", { className: "tick" }, box, name), move(-1, "up", "Move up:"), move(1, "down", "Move down:"))
    })
    const all_ = el("button", { type: "button", className: "quiet", textContent: "Show all, in their own order" })
    all_.disabled = view.columns === null
    all_.onclick = () => this.#edit(all.map(({ id }) => id), "")
    redraw(this.element, ...lines, el("div", { className: "line" }, all_))
  }
}
