// Everything around the grid: title, status, buttons, counts and the note on where the data is from.

import { icon } from "./icons"
import { fetchSource } from "./sample"
import type { Selection } from "./selection"
import type { Sheet } from "./sheet"
import { shareLink } from "./start"
import type { Status } from "./status"
import type { Table } from "./table"
import type { ViewTable } from "./view-table"
import { toast } from "./toast"

export const $ = <E extends HTMLElement>(selector: string): E => {
  const element = document.querySelector<E>(selector)
  if (!element) throw new Error(`the page has no ${selector}`)
  return element
}

const STATUS_TEXT: Record<Status["state"], string> = {
  connecting: "Connecting…",
  saving: "Saving…",
  saved: "All changes saved",
  offline: "Offline · edits kept on this device",
}

export function drawStatus({ state, kept }: Status): void {
  const pill = $("#status")
  pill.dataset.state = state
  pill.dataset.kept = kept
  const lost = state === "offline" && kept === "no"
  pill.querySelector("span")!.textContent = lost ? "Offline · edits kept only in this window" : STATUS_TEXT[state]
}

export function watchTitle(table: Table): void {
  const input = $<HTMLInputElement>("#title")
  const show = () => {
    if (document.activeElement !== input) input.value = table.title
    document.title = `${table.title || "Untitled"} · Roundtable`
  }
  input.addEventListener("change", () => table.setTitle(input.value.trim() || "Untitled"))
  input.addEventListener("blur", show)
  input.addEventListener("keydown", event => {
    if (event.key === "Escape") input.value = table.title
    if (event.key === "Enter" || event.key === "Escape") input.blur()
  })
  table.subscribe(change => change.title && show())
  input.disabled = false
  show()
}

export function watchButtons(sheet: Sheet, address: string, afterwards: () => void): void {
  const press = (selector: string, image: string, run: () => void) => {
    const button = $<HTMLButtonElement>(selector)
    button.prepend(icon(image))
    button.disabled = false
    button.addEventListener("click", () => {
      run()
      afterwards()
    })
  }
  press("#undo", "undo", () => sheet.undo())
  press("#redo", "redo", () => sheet.redo())
  press("#add-row", "row-add", () => sheet.addRows("below"))
  press("#delete-row", "row-delete", () => sheet.deleteRows())
  // No opener: the new window must not inherit this window's person.
  press("#second-window", "window", () => window.open(shareLink(address), "_blank", "noopener,popup,width=1100,height=760"))
  press("#share", "link", () => void copyLink(shareLink(address)))
}

export function drawUndo(sheet: Sheet): void {
  $<HTMLButtonElement>("#undo").disabled = !sheet.undoing.canUndo
  $<HTMLButtonElement>("#redo").disabled = !sheet.undoing.canRedo
}

async function copyLink(link: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(link)
    toast("Link copied. Whoever opens it edits this table with you.")
  } catch {
    toast(link) // not allowed to write to the clipboard: show it, so that it can be copied by hand
  }
}

const COUNT = new Intl.NumberFormat("en")
const SUM = new Intl.NumberFormat("en", { maximumFractionDigits: 2 })

/** Rows in all, and what the selection adds up to. */
export function drawCounts(table: ViewTable, selection: Selection): void {
  const rows = table.rowCount
  const shown = table.filters ? `${COUNT.format(table.rows().length)} of ` : ""
  $("#row-count").textContent = `${shown}${COUNT.format(rows)} ${rows === 1 ? "row" : "rows"}`
  const summary = $("#selection-summary")
  summary.textContent = selection.isSingle ? "" : summarise(table, selection)
}

/** Beyond this the sum would cost more than a frame with every key; then only the size is told. */
const MAX_SUMMED = 100_000

function summarise(table: Table, selection: Selection): string {
  const { rows, columns } = selection.ids()
  const size = `${COUNT.format(rows.length)} × ${columns.length} selected`
  if (rows.length * columns.length > MAX_SUMMED) return size
  let filled = 0
  let numbers = 0
  let sum = 0
  for (const row of rows) {
    for (const column of columns) {
      const value = table.get(row, column)
      if (value !== null) filled++
      if (typeof value === "number") {
        numbers++
        sum += value
      }
    }
  }
  const parts = [size, `${COUNT.format(filled)} filled`]
  if (numbers > 0) parts.push(`sum ${SUM.format(sum)}`, `average ${SUM.format(sum / numbers)}`)
  return parts.join("  ·  ")
}

export async function drawSource(): Promise<void> {
  const source = await fetchSource()
  if (!source) return
  const note = $("#source")
  const link = document.createElement("a")
  link.href = source.link ?? "#"
  link.textContent = source.source
  link.target = "_blank"
  link.rel = "noreferrer"
  note.replaceChildren("Sample data: ", link, ` · ${source.licence}`)
}
