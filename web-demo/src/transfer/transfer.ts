// Files in, files out, and the way to the API: the buttons in the toolbar and what opens from them.

import { Api } from "../api"
import { icon } from "../icons"
import { openMenu, type Item } from "../menu"
import { beside, openCard } from "../popover"
import { toast } from "../toast"
import { apiCard } from "./api-card"
import { make } from "./build"
import { watchDrops } from "./drop"
import { ImportDialog } from "./import-dialog"
import type { Place } from "./place"

/** Where a page that is left for a new table leaves the words to greet with. */
const SAID = "roundtable.said"

export function joinTransfer(place: Place): void {
  const api = new Api(location.origin)
  const dialog = new ImportDialog(api, place, opened)
  const host = document.querySelector<HTMLElement>("#transfer")
  host?.append(importButton(dialog), exportButton(api, place), apiButton(place))
  watchDrops(file => void dialog.open(file))
  const said = sessionStorage.getItem(SAID)
  sessionStorage.removeItem(SAID)
  if (said) toast(said)
}

/** Goes to another table; the page opens anew there. */
function opened(url: string, said: string): void {
  sessionStorage.setItem(SAID, said)
  location.hash = `#${url}`
}

function importButton(dialog: ImportDialog): HTMLElement {
  const picker = make("input", { type: "file", accept: ".csv,.tsv,.txt,.xlsx,text/csv", hidden: true, "aria-label": "File to import" })
  picker.addEventListener("change", () => {
    const file = picker.files?.[0]
    // The same file must be choosable again after it was mended.
    picker.value = ""
    if (file) void dialog.open(file)
  })
  const pick = () => (dialog.busy ? dialog.show() : picker.click())
  const title = "Import a CSV or Excel file; it may also be dropped on the page"
  const button = make("button", { class: "quiet", id: "import", title, onclick: pick }, icon("import"), "Import")
  return make("span", { class: "slot" }, button, picker)
}

function exportButton(api: Api, place: Place): HTMLElement {
  const button = make("button", { class: "quiet", id: "export", "aria-haspopup": "menu" }, icon("export"), "Export")
  // A link, so that the browser saves the file while it comes.
  const save = (format: "csv" | "xlsx", label: string): Item => {
    const href = api.exportUrl(place.id(), format, place.currentView())
    return { label, icon: "export", run: () => make("a", { href, download: `${place.table.title || "Untitled"}.${format}` }).click() }
  }
  button.addEventListener("click", () => {
    const items = [save("csv", "Export as CSV"), save("xlsx", "Export as XLSX")]
    openMenu({ anchor: beside(button), label: "Export", items, opener: button, closed: place.focus })
  })
  return button
}

function apiButton(place: Place): HTMLElement {
  const title = "Read and write this table from a program"
  const button = make("button", { class: "quiet", id: "api", title, "aria-haspopup": "dialog" }, icon("code"), "API")
  const closed = () => document.activeElement === document.body && place.focus()
  button.addEventListener("click", () => openCard(button, "This table from a program", "api-card", apiCard(place), closed))
  return button
}
