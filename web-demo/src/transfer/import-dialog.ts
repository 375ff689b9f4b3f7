// The life of an import: look at the file, ask what is to become of it, send it, follow it to its end.
//
// An import that runs is the server's: closing the dialog only hides it, and its end is told all the same.

import { Refused, newKey, type Api, type BulkState, type Format, type Goal, type Preview, type Upload } from "../api"
import { toast } from "../toast"
import { make } from "./build"
import { ImportForm } from "./import-form"
import type { Place } from "./place"
import { goalOf, positionOf, titleOf, type Plan } from "./plan"

const COUNT = new Intl.NumberFormat("en")

export class ImportDialog {
  readonly #body = make("div", { class: "sheet", tabindex: "-1" })
  readonly #dialog = make("dialog", { class: "dialog", "aria-labelledby": "import-heading" }, this.#body)
  #file: File | null = null
  #running = false
  /** A new table that nobody has opened yet stays within reach. */
  #unopened = false
  /** Of the last request: asking for the very same again must go on with it, and not write everything a second time. */
  #asked: { goal: string; key: string } | null = null

  constructor(
    private readonly api: Api,
    private readonly place: Place,
    private readonly openTable: (url: string, said: string) => void,
  ) {
    document.body.append(this.#dialog)
    this.#dialog.addEventListener("close", () => {
      if (!this.#running) this.#file = null
      this.#unopened = false
      this.place.focus()
    })
  }

  /** Whether an import is on its way, or what it made waits to be opened. */
  get busy(): boolean {
    return this.#running || this.#unopened
  }

  show(): void {
    if (!this.#dialog.open) this.#dialog.showModal()
  }

  async open(file: File): Promise<void> {
    if (this.#running) return this.show()
    this.#file = file
    this.#asked = null
    this.#unopened = false
    this.#wait(`Reading ${file.name}…`)
    this.show()
    try {
      await this.#look({ name: file.name, bytes: await file.arrayBuffer(), format: formatOf(file.name), sheet: null })
    } catch (error) {
      // A folder, or a file that is gone by now.
      if (this.#file === file) this.#refuse(file.name, `The file cannot be read: ${wordsOf(error)}`)
    }
  }

  async #look(upload: Upload): Promise<void> {
    const file = this.#file
    let preview: Preview
    try {
      preview = await this.api.preview(upload)
    } catch (error) {
      if (this.#file === file) this.#refuse(upload.name, wordsOf(error))
      return
    }
    // The dialog was closed, or is about another file by now.
    if (this.#file === file) this.#ask(upload, preview)
  }

  #ask(upload: Upload, preview: Preview): void {
    const form = new ImportForm(preview, upload, titleOf(upload.name), this.place.table, {
      sheet: sheet => {
        this.#wait(`Reading ${sheet}…`)
        void this.#look({ ...upload, sheet })
      },
      cancel: () => this.#dialog.close(),
      submit: plan => void this.#carryOut(upload, preview, plan, form),
    })
    this.#put(form.element)
    form.focus()
  }

  async #carryOut(upload: Upload, preview: Preview, plan: Plan, form: ImportForm): Promise<void> {
    const goal = goalOf(plan, preview, this.place.id())
    this.#running = true
    const watch = this.#drawProgress(upload.name)
    try {
      const made = await this.api.import(upload, goal, watch, this.#keyFor(upload, goal))
      this.#running = false
      this.#finish(goal, made.url ?? `automerge:${made.table}`, made.rows ?? preview.rows)
    } catch (error) {
      this.#running = false
      this.#put(form.element)
      form.complain(wordsOf(error), error instanceof Refused ? positionOf(error.problem.field) : null)
      if (!this.#dialog.open) toast(`${upload.name} was not imported.`, { label: "Why?", run: () => this.show() })
    }
  }

  #keyFor(upload: Upload, goal: Goal): string {
    const asked = JSON.stringify([upload.sheet, goal])
    if (this.#asked?.goal !== asked) this.#asked = { goal: asked, key: newKey() }
    return this.#asked.key
  }

  #finish(goal: Goal, url: string, rows: number): void {
    const said = `${COUNT.format(rows)} ${rows === 1 ? "row" : "rows"} ${goal.mode === "update" ? "read" : "imported"}`
    const seen = this.#dialog.open
    this.#dialog.close()
    this.#file = null
    if (goal.mode !== "new") toast(said)
    else if (seen) this.openTable(url, said)
    else this.#offer(goal.title, url, said)
  }

  /** Somebody who went on working is not taken elsewhere, but told; the note goes away, the button "Import" stays. */
  #offer(title: string, url: string, said: string): void {
    const open = () => this.openTable(url, said)
    this.#unopened = true
    this.#put(
      heading(`“${title}” is ready`),
      make("p", {}, `${said}.`),
      make(
        "footer",
        {},
        make("button", { class: "quiet", type: "button", onclick: () => this.#dialog.close() }, "Stay here"),
        make("button", { class: "primary", type: "button", onclick: open }, "Open"),
      ),
    )
    toast(`${said} into “${title}”`, { label: "Open", run: open })
  }

  #drawProgress(file: string): (state: BulkState | null) => void {
    const bar = make("progress", { "aria-labelledby": "import-heading" })
    const words = make("p", {}, "Sending the file…")
    const note = make("p", { class: "soft", role: "status" })
    this.#put(
      heading(`Importing ${file}`),
      bar,
      words,
      note,
      make("footer", {}, make("button", { class: "quiet", type: "button", onclick: () => this.#dialog.close() }, "Hide")),
    )
    this.#body.focus()
    return state => {
      note.textContent = state ? "" : "The server is busy or cannot be reached. This goes on by itself as soon as it answers."
      if (!state || state.slices === 0) return
      bar.max = state.slices
      bar.value = state.done
      words.textContent = `${Math.floor((100 * state.done) / state.slices)} % is saved on the server.`
    }
  }

  #wait(text: string): void {
    const close = make("button", { class: "quiet", type: "button", onclick: () => this.#dialog.close() }, "Cancel")
    this.#put(heading(text), make("progress", { "aria-labelledby": "import-heading" }), make("footer", {}, close))
  }

  #refuse(file: string, why: string): void {
    const close = make("button", { class: "primary", type: "button", onclick: () => this.#dialog.close() }, "Close")
    this.#put(heading(`${file} cannot be imported`), make("p", { class: "fault", role: "alert" }, why), make("footer", {}, close))
    close.focus()
  }

  #put(...content: Node[]): void {
    this.#body.replaceChildren(...content)
  }
}

function heading(text: string): HTMLElement {
  return make("h2", { id: "import-heading" }, text)
}

function formatOf(file: string): Format | null {
  if (/\.(csv|tsv|tab|txt)$/i.test(file)) return "csv"
  return /\.xlsx$/i.test(file) ? "xlsx" : null
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
