// The line below the grid: what each column adds up to, over the rows shown. It scrolls sideways with the cells.

import type { Grid } from "./grid"
import { AGGREGATES, aggregateFits, type AggregateOp } from "./view"
import type { ViewDesk } from "./view-desk"
import { el, openMenu } from "./view-dom"
import { aggregateWords, valueWords } from "./view-words"

export class ViewFooter {
  #strip = el("div", { className: "totals-strip" })
  #drawn = ""

  constructor(
    host: HTMLElement,
    private readonly grid: Grid,
    private readonly desk: ViewDesk,
  ) {
    host.append(el("div", { className: "totals-clip" }, this.#strip))
    grid.watchScroll(left => (this.#strip.style.transform = `translateX(${-left}px)`))
    desk.table.subscribe(() => this.draw())
    this.draw()
  }

  draw(): void {
    const { table } = this.desk
    const totals = table.totals
    const shown = JSON.stringify([table.cols().map(({ id, name, kind, width }) => [id, name, kind, width]), totals])
    if (shown === this.#drawn) return
    this.#drawn = shown
    const focused = (document.activeElement as HTMLElement | null)?.dataset.total
    this.#strip.replaceChildren(
      ...table.cols().map(({ id, name, kind }, at) => {
        const own = totals.filter(({ aggregate }) => aggregate.column === id)
        const options = table.optionsOf(id)
        const texts = own.map(({ aggregate: { op }, value }) => [aggregateWords(op, kind), value === null ? "–" : valueWords(value, kind, options)])
        const words = texts.flatMap(([label, value]) => [el("span", {}, label!), el("b", {}, value!)])
        const said = texts.map(pair => pair.join(" ")).join(", ")
        const button = el("button", { type: "button", className: `total kind-${kind}`, title: said || `Sum up ${name}` }, ...words)
        button.ariaLabel = `${name}: ${said || "nothing summed up"}`
        button.setAttribute("aria-haspopup", "menu")
        button.dataset.total = id
        const box = this.grid.box({ top: 0, bottom: 0, left: at, right: at })
        button.style.left = `${box.left}px`
        button.style.width = `${box.width}px`
        if (words.length === 0) button.append(el("span", { className: "hint" }, "Sum up"))
        button.onclick = () => this.#choose(button, id, name, kind)
        return button
      }),
    )
    if (focused) this.#strip.querySelector<HTMLElement>(`[data-total="${focused}"]`)?.focus()
  }

  #choose(anchor: HTMLElement, column: string, name: string, kind: string): void {
    const { aggregates } = this.desk.view
    const own = aggregates.find(aggregate => aggregate.column === column)
    const others = aggregates.filter(aggregate => aggregate.column !== column)
    const set = (op: AggregateOp | null) => this.desk.edit("aggregates", op ? [...others, { op, column }] : others)
    const fitting = AGGREGATES.filter(op => aggregateFits(op, kind))
    openMenu(anchor, `Sum up ${name}`, [
      { label: "Nothing", run: () => set(null), chosen: own === undefined },
      ...fitting.map(op => ({ label: aggregateWords(op, kind), run: () => set(op), chosen: own?.op === op })),
    ])
  }
}
