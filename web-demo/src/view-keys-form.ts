// The form for the sort of a view and for what it groups by: columns with a direction, the first counts most.

import type { Sort } from "./view"
import type { ViewDesk } from "./view-desk"
import { choice, el, iconButton, redraw } from "./view-dom"
import { directionWords } from "./view-words"

export class KeysForm {
  readonly element = el("div", { className: "keys-form" })
  #written = ""

  constructor(
    private readonly desk: ViewDesk,
    private readonly part: "sort" | "group",
    private readonly most: number,
  ) {
    this.#draw()
  }

  follow(): void {
    if (JSON.stringify(this.desk.view[this.part]) !== this.#written) this.#draw()
  }

  #edit(keys: Sort[]): void {
    this.desk.edit(this.part, keys)
    this.#draw()
  }

  #draw(): void {
    const keys = this.desk.view[this.part]
    this.#written = JSON.stringify(keys)
    const columns = this.desk.table.allCols()
    const names = columns.map(({ id, name }) => [id, name] as const)
    const lines = keys.map((key, at) => {
      const with_ = (changed: Partial<Sort>) => keys.map((other, i) => (i === at ? { ...key, ...changed } : other))
      const [up, down] = directionWords(columns.find(({ id }) => id === key.column)?.kind ?? "")
      const swap = () => [...keys.slice(0, at - 1), key, keys[at - 1]!, ...keys.slice(at + 1)]
      const first = iconButton("up", "Move up", () => this.#edit(swap()))
      first.disabled = at === 0
      return el(
        "div",
        { className: "line", role: "group", ariaLabel: `${at + 1}. key` },
        el("span", { className: "word" }, at === 0 ? "By" : "then by"),
        choice("Column", names, key.column, column => this.#edit(with_({ column }))),
        choice("Direction", [["up", up], ["down", down]], key.descending ? "down" : "up", way => this.#edit(with_({ descending: way === "down" }))),
        first,
        iconButton("close", "Remove", () => this.#edit(keys.filter((_, i) => i !== at))),
      )
    })
    const free = columns.filter(({ id }) => !keys.some(key => key.column === id))
    const add = el("button", { type: "button", className: "quiet", textContent: this.part === "sort" ? "Add a column to sort by" : "Add a column to group by" })
    add.disabled = keys.length >= this.most || free.length === 0
    add.onclick = () => this.#edit([...keys, { column: free[0]!.id, descending: false }])
    redraw(this.element, ...lines, el("div", { className: "line" }, add))
  }
}
