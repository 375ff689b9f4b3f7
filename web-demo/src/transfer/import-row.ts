// One column of the file in the import form: whether it is used, what it becomes, and of which kind.

import { kindName, KINDS } from "../schema"
import { make } from "./build"
import type { Choice, Column, Mode } from "./plan"

/** Beyond this a sample is cut: it is there to be recognised. */
const SAMPLE_LETTERS = 40
const SAMPLES = 3

export interface RowParts {
  name: string
  samples: readonly unknown[]
  /** Fields that hold the error of a formula. */
  errors: number
  position: number
  columns: readonly Column[]
  choice: Choice
  mode: Mode
}

/** The row writes every decision into `choice`. */
export function choiceRow({ name, samples, errors, position, columns, choice, mode }: RowParts): HTMLTableRowElement {
  const label = name || `column ${position + 1}`
  const use = make("input", { type: "checkbox", checked: choice.target.to !== "skip", "aria-label": `Use ${label}` })
  const target = make("select", { "aria-label": `${label} goes to` })
  target.append(
    make("option", { value: "" }, "New column"),
    ...columns.map(({ id, name }) => make("option", { value: id, selected: choice.target.to === "column" && choice.target.id === id }, name)),
  )
  const title = make("input", { "aria-label": `Name of ${label}`, value: choice.name, maxlength: "200", spellcheck: "false", autocomplete: "off" })
  // A kind that only the server knows is kept.
  const kinds = [...new Set<string>([...KINDS, choice.kind])]
  const kind = make("select", { "aria-label": `Kind of ${label}` })
  kind.append(...kinds.map(value => make("option", { value, selected: value === choice.kind }, kindName(value))))
  const given = make("span", { class: "soft" })

  const row = make(
    "tr",
    {},
    make("td", {}, use),
    make("th", { scope: "row" }, make("span", { class: "name" }, label), make("span", { class: "samples" }, sampleText(samples)), ...warning(errors)),
    make("td", {}, make("div", { class: "becomes" }, target, title)),
    make("td", {}, kind, given),
  )
  const draw = () => {
    const { target: goes } = choice
    const column = goes.to === "column" ? columns.find(({ id }) => id === goes.id) : undefined
    row.classList.toggle("skipped", goes.to === "skip")
    target.hidden = mode === "new"
    title.hidden = mode !== "new" && target.value !== ""
    kind.hidden = column !== undefined
    given.textContent = column ? kindName(column.kind) : ""
    for (const field of [target, title, kind]) field.disabled = goes.to === "skip"
  }
  const decide = () => {
    const id = mode === "new" ? "" : target.value
    choice.target = !use.checked ? { to: "skip" } : id ? { to: "column", id } : { to: "new" }
    draw()
  }
  use.addEventListener("change", decide)
  target.addEventListener("change", decide)
  title.addEventListener("input", () => (choice.name = title.value))
  kind.addEventListener("change", () => (choice.kind = kind.value))
  draw()
  return row
}

function warning(errors: number): HTMLElement[] {
  if (errors === 0) return []
  return [make("span", { class: "errors" }, errors === 1 ? "1 formula error stays empty" : `${errors} formula errors stay empty`)]
}

function sampleText(samples: readonly unknown[]): string {
  const texts = samples.filter(sample => sample !== null && sample !== "").map(String)
  const cut = (text: string) => (text.length > SAMPLE_LETTERS ? `${text.slice(0, SAMPLE_LETTERS)}…` : text)
  return [...new Set(texts)].slice(0, SAMPLES).map(cut).join(" · ")
}
