// The headings of groups, over the empty lines that the grid leaves for them. Only those in sight are drawn.

import type { Grid } from "./grid"
import { el } from "./view-dom"
import type { Group } from "./view-evaluate"
import type { ViewTable } from "./view-table"
import { aggregateWords, valueWords } from "./view-words"

const COUNT = new Intl.NumberFormat("en")

export class GroupHeadings {
  #layer = el("div", { className: "headings" })
  #drawn = ""

  constructor(
    private readonly grid: Grid,
    private readonly table: ViewTable,
  ) {
    grid.overlay.append(this.#layer)
    grid.watchScroll(left => {
      this.#layer.style.transform = `translateX(${left}px)`
      this.draw()
    })
    table.subscribe(() => this.draw())
    this.draw()
  }

  draw(): void {
    const { groups } = this.table
    if (groups.length === 0 && this.#drawn === "") return
    const { first, last } = this.grid.visibleRows()
    const seen = groups.filter(({ from }) => from >= first - 2 && from <= last + 2)
    const shown = seen.length === 0 ? "" : JSON.stringify([seen, this.table.cols().length])
    if (shown === this.#drawn) return
    this.#drawn = shown
    this.#layer.replaceChildren(
      ...seen.map(group => {
        const heading = el("div", { className: "group-heading", role: "heading", ariaLevel: "3" }, ...this.#words(group))
        const row = this.grid.box({ top: group.from, bottom: group.from, left: 0, right: 0 })
        heading.style.transform = `translateY(${row.top - row.height}px)`
        heading.style.height = `${row.height}px`
        return heading
      }),
    )
  }

  #words({ key, from, to, totals }: Group): HTMLElement[] {
    const columns = new Map(this.table.allCols().map(column => [column.id, column]))
    const names = this.table.groupColumns().map((id, at) => {
      const kind = columns.get(id)?.kind ?? ""
      return valueWords(key[at] ?? null, kind, this.table.optionsOf(id))
    })
    const words = [el("b", {}, names.join(" · ")), el("span", {}, `${COUNT.format(to - from)} ${to - from === 1 ? "row" : "rows"}`)]
    for (const { aggregate, value } of this.table.summed(totals)) {
      const { op, column } = aggregate
      const summed = columns.get(column ?? "")
      if (!summed || value === null) continue
      const text = valueWords(value, summed.kind, this.table.optionsOf(summed.id))
      words.push(el("span", {}, `${aggregateWords(op, summed.kind)} of ${summed.name} `, el("b", {}, text)))
    }
    return words
  }
}
