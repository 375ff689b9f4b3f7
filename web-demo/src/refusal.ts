// What is said when something was no value of its column, and what can be done about it.

import { hasOptions, type Columns } from "./columns"
import { optionsNamed } from "./options"
import type { Refused, Sheet } from "./sheet"
import { toast } from "./toast"
import { asName } from "./text"
import { expects } from "./values"

/** More options than this at once are not options but a column of text. */
const MAX_ADDED = 50

export interface Remedies {
  sheet: Sheet
  columns: Columns
  /** Opens the cell again, with the text that did not fit. */
  correct(refused: Refused): void
}

export function tellRefused(refused: readonly Refused[], deed: "type" | "paste" | "fill", remedies: Remedies): void {
  const [first] = refused
  if (!first) return
  const { column, text } = first
  const quoted = `“${text.trim().slice(0, 40)}${text.trim().length > 40 ? "…" : ""}”`
  const what = `${column.name} takes ${expects(column.kind)}`
  const said =
    refused.length === 1
      ? `${quoted} was not written: ${what}.`
      : `${refused.length.toLocaleString("en")} values were not written; ${what}, not ${quoted}.`
  const names = newNames(refused)
  if (names.length > 0 && names.length <= MAX_ADDED) {
    toast(said, {
      label: names.length === 1 ? "Add it as an option" : `Add ${names.length} options`,
      run: () => addAndWrite(refused, remedies),
    })
  } else if (deed === "type") toast(said, { label: "Correct it", run: () => remedies.correct(first) })
  else toast(said)
}

function namesOf({ column, text }: Refused): string[] {
  if (!hasOptions(column.kind)) return []
  return (column.kind === "select" ? [text] : optionsNamed(column.options, text).unknown).map(asName).filter(name => name !== "")
}

function newNames(refused: readonly Refused[]): string[] {
  return [...new Set(refused.flatMap(namesOf))]
}

function addAndWrite(refused: readonly Refused[], { columns, sheet }: Remedies): void {
  for (const id of new Set(refused.map(cell => cell.column.id))) {
    columns.addOptions(id, newNames(refused.filter(cell => cell.column.id === id)))
  }
  sheet.writeTexts(refused.map(({ row, column, text }) => ({ row, column: column.id, text })))
}
