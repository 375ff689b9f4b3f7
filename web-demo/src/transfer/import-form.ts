// What the person decides: which sheet, into which table, and what becomes of each column.

import type { Preview, Upload } from "../api"
import type { Table } from "../table"
import { make } from "./build"
import { choiceRow } from "./import-row"
import { faultOf, firstPlan, type Mode, type Plan } from "./plan"

const COUNT = new Intl.NumberFormat("en")

export interface FormEvents {
  /** Another sheet of the workbook was chosen. */
  sheet(name: string): void
  cancel(): void
  submit(plan: Plan): void
}

export class ImportForm {
  readonly element = make("form", { class: "import", novalidate: true })
  readonly #fault = make("p", { class: "fault", role: "alert", hidden: true })
  readonly #rest = make("div", { class: "rest" })
  readonly #submit = make("button", { class: "primary" }, "Import")
  #plan: Plan

  constructor(
    private readonly preview: Preview,
    upload: Upload,
    title: string,
    private readonly table: Table,
    private readonly events: FormEvents,
  ) {
    this.#plan = firstPlan(preview, "new", title, table.cols())
    const rows = `${COUNT.format(preview.rows)} ${preview.rows === 1 ? "row" : "rows"}`
    const columns = `${preview.columns.length} ${preview.columns.length === 1 ? "column" : "columns"}`
    const summary = make("p", { class: "soft" }, `${rows}, ${columns}`)
    this.#submit.textContent = `Import ${rows}`
    this.element.append(
      make("h2", { id: "import-heading" }, `Import ${upload.name}`),
      make("div", { class: "line" }, summary, ...this.#sheets(upload)),
      this.#modes(),
      this.#rest,
      this.#fault,
      make("footer", {}, make("button", { class: "quiet", type: "button", onclick: () => events.cancel() }, "Cancel"), this.#submit),
    )
    this.element.addEventListener("submit", event => {
      event.preventDefault()
      this.#check()
    })
    this.#draw()
  }

  focus(): void {
    this.element.querySelector<HTMLElement>("input:checked")?.focus()
  }

  /** Says what is wrong, and leads to the column it is about. */
  complain(text: string, position: number | null): void {
    this.#fault.textContent = text
    this.#fault.hidden = false
    for (const row of this.element.querySelectorAll("tr.wrong")) row.classList.remove("wrong")
    const row = position === null ? null : this.#rest.querySelectorAll("tbody tr")[position]
    row?.classList.add("wrong")
    row?.scrollIntoView({ block: "nearest" })
    const field = (name: string) => row?.querySelector<HTMLElement>(`${name}:enabled:not([type=checkbox], [hidden])`)
    ;(field("input") ?? field("select") ?? this.#submit).focus()
  }

  #check(): void {
    const fault = faultOf(this.#plan, this.table.cols())
    if (fault) return this.complain(fault.text, fault.position)
    this.#fault.hidden = true
    this.events.submit(this.#plan)
  }

  #sheets(upload: Upload): HTMLElement[] {
    const { sheets = [], sheet = upload.sheet } = this.preview
    if (sheets.length < 2) return []
    const select = make("select", {}, ...sheets.map(name => make("option", { value: name, selected: name === sheet }, name)))
    select.addEventListener("change", () => this.events.sheet(select.value))
    return [make("label", {}, "Sheet ", select)]
  }

  #modes(): HTMLElement {
    const mode = (value: Mode, text: string) => {
      const radio = make("input", { type: "radio", name: "mode", value, checked: value === this.#plan.mode })
      radio.addEventListener("change", () => {
        this.#plan = firstPlan(this.preview, value, this.#plan.title, this.table.cols())
        this.#fault.hidden = true
        this.#draw()
      })
      return make("label", {}, radio, text)
    }
    const modes = [mode("new", "A new table"), mode("append", "This table, as new rows"), mode("update", "This table, updating its rows")]
    return make("fieldset", { class: "modes" }, make("legend", {}, "Import into"), ...modes)
  }

  #draw(): void {
    const columns = this.table.cols()
    const rows = this.preview.columns.map(({ name, samples, errors = 0 }, position) =>
      choiceRow({ name, samples, errors, position, columns, choice: this.#plan.choices[position]!, mode: this.#plan.mode }),
    )
    const head = ["Use", "Column of the file", "Becomes", "Kind"].map(text => make("th", { scope: "col" }, text))
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows))
    this.#rest.replaceChildren(...this.#question(), make("div", { class: "file-columns", tabindex: "0", role: "group", "aria-label": "Columns" }, table))
  }

  /** What one more thing has to be known: the title of a new table, or how rows are found again. */
  #question(): HTMLElement[] {
    const plan = this.#plan
    if (plan.mode === "new") {
      const input = make("input", { maxlength: "200", spellcheck: "false", autocomplete: "off", value: plan.title })
      input.addEventListener("input", () => (plan.title = input.value))
      return [make("label", { class: "line" }, "Title", input)]
    }
    if (plan.mode === "append") return []
    const options = this.table.cols().map(({ id, name }) => make("option", { value: id, selected: id === plan.key }, name))
    const select = make("select", {}, make("option", { value: "", selected: plan.key === null }, "Choose…"), ...options)
    select.addEventListener("change", () => (plan.key = select.value || null))
    return [make("label", { class: "line" }, "Rows are the same where they agree in", select)]
  }
}
