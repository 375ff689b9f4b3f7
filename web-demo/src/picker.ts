// The list under a cell of a select or multiselect: type to find, arrows, Enter picks. The text field of the cell keeps
// the focus all the time, as for every other kind, so no key is lost while the list comes up.

import { paintChip } from "./cells"
import { hasOptions, type Columns } from "./columns"
import type { Editor } from "./editor"
import { icon } from "./icons"
import type { Column } from "./model"
import { matching, optionNamed, type Option } from "./options"
import { Popover } from "./popover"
import type { Place } from "./presence"
import type { Sheet } from "./sheet"
import { asName } from "./text"
import { asIds, isIds, type Ids, type Value } from "./values"

type Entry = { option: Option } | { create: string } | { deed: "clear" | "edit"; label: string }

export interface PickerParts {
  sheet: Sheet
  columns: Columns
  editor: Editor
  /** The cell is done with: close its editor. */
  done(): void
  editOptions(column: string): void
}

export class Picker {
  #place: Place | null = null
  #popover: Popover | null = null
  #entries: Entry[] = []
  /** Which entry Enter takes; -1: none, so Enter leaves the cell. */
  #at = -1
  #stop: (() => void) | null = null

  constructor(private readonly parts: PickerParts) {}

  get isOpen(): boolean {
    return this.#place !== null
  }

  open(place: Place): void {
    const { editor, sheet } = this.parts
    this.#place = place
    const popover = new Popover({
      anchor: () => editor.element.getBoundingClientRect(),
      className: "picker",
      keep: target => target === editor.element || target.closest("revo-grid") !== null,
      closed: () => this.#place && this.parts.done(),
    })
    this.#popover = popover
    popover.element.id = "picker"
    popover.element.setAttribute("role", "listbox")
    popover.element.setAttribute("aria-label", "Options")
    popover.element.setAttribute("aria-multiselectable", String(this.#column?.kind === "multiselect"))
    // The text field keeps the focus.
    popover.element.addEventListener("mousedown", event => event.preventDefault())
    popover.element.addEventListener("click", event => {
      const line = (event.target as Element).closest<HTMLElement>("[data-entry]")
      if (line) this.#pick(Number(line.dataset.entry))
    })
    editor.element.setAttribute("role", "combobox")
    editor.element.setAttribute("aria-expanded", "true")
    editor.element.setAttribute("aria-controls", "picker")
    editor.element.placeholder = "Find or add"
    this.#stop = sheet.table.subscribe(() => this.#place && this.#draw())
    this.filter()
  }

  close(): void {
    if (!this.#place) return
    this.#place = null
    this.#stop?.()
    const { element } = this.parts.editor
    for (const name of ["role", "aria-expanded", "aria-controls", "aria-activedescendant"]) element.removeAttribute(name)
    element.placeholder = ""
    this.#popover?.close()
    this.#popover = null
  }

  /** What is typed has changed: the first that matches is what Enter takes. */
  filter(): void {
    if (!this.#place) return
    this.#entries = this.#list()
    const held = this.#held
    const current = this.#column?.kind === "select" ? this.#entries.findIndex(e => "option" in e && held.includes(e.option.id)) : -1
    this.#at = this.#text === "" ? current : 0
    this.#draw()
  }

  /** True: the key is dealt with. Null: it goes on as in every other cell. */
  key(event: KeyboardEvent): true | null {
    const many = this.#column?.kind === "multiselect"
    switch (event.key) {
      case "ArrowDown":
      case "ArrowUp": {
        if (event.altKey) return true
        const count = this.#entries.length
        const step = event.key === "ArrowDown" ? 1 : -1
        if (count > 0) this.#at = this.#at < 0 ? (step > 0 ? 0 : count - 1) : (this.#at + step + count) % count
        this.#draw()
        return true
      }
      case "Enter":
      case "Tab": {
        const taken = this.#at >= 0 && (event.key === "Enter" || this.#text !== "")
        if (taken && !this.#pick(this.#at)) return true
        if (taken && many && event.key === "Enter") return true
        this.parts.done()
        return null
      }
      case "Backspace":
        if (!many || this.#text !== "" || this.#held.length === 0) return null
        this.#write(this.#held.slice(0, -1))
        return true
      default:
        return null
    }
  }

  /** Clicked elsewhere: what was typed counts when it is the name of an option. */
  settle(): void {
    if (!this.#column || !hasOptions(this.#column.kind)) return
    const option = this.#text.trim() === "" ? undefined : optionNamed(this.#column.options, this.#text)
    if (option && !this.#held.includes(option.id)) this.#take(option.id)
  }

  get #column(): Column | undefined {
    return this.parts.sheet.table.column(this.#place?.column ?? "")
  }

  get #text(): string {
    return this.parts.editor.text
  }

  get #value(): Value {
    return this.#place ? this.parts.sheet.table.get(this.#place.row, this.#place.column) : null
  }

  /** The options in the cell, in the order of the column. */
  get #held(): Ids {
    const value = this.#value
    const ids = isIds(value) ? value : [value]
    return (this.#column?.options ?? []).map(option => option.id).filter(id => ids.includes(id))
  }

  #list(): Entry[] {
    const options = this.#column?.options ?? []
    const entries: Entry[] = matching(options, this.#text).map(option => ({ option }))
    const name = asName(this.#text)
    if (name !== "" && !optionNamed(options, name)) entries.push({ create: name })
    if (name === "" && this.#value !== null) entries.push({ deed: "clear", label: "Empty this cell" })
    if (name === "") entries.push({ deed: "edit", label: "Edit options…" })
    return entries
  }

  /** False: the cell is not this picker's any more. */
  #pick(index: number): boolean {
    const { columns, editor, done, editOptions } = this.parts
    const entry = this.#entries[index]
    const place = this.#place
    if (!entry || !place) return true
    const many = this.#column?.kind === "multiselect"
    if ("deed" in entry) {
      if (entry.deed === "clear") this.parts.sheet.write([{ ...place, value: null }])
      done()
      if (entry.deed === "edit") editOptions(place.column)
      return false
    }
    const id = "option" in entry ? entry.option.id : columns.addOptions(place.column, [entry.create])[0]
    if (id !== undefined) this.#take(id)
    if (many) {
      editor.replace("")
      this.filter()
    } else done()
    return true
  }

  /** Puts an option into the cell; of a multiselect, takes it out when it is in. */
  #take(id: string): void {
    if (this.#column?.kind !== "multiselect") {
      if (this.#place) this.parts.sheet.write([{ ...this.#place, value: id }])
      return
    }
    const held = this.#held
    this.#write(held.includes(id) ? held.filter(other => other !== id) : [...held, id])
  }

  #write(ids: Ids): void {
    const value = asIds(ids)
    if (this.#place && value !== undefined) this.parts.sheet.write([{ ...this.#place, value }])
  }

  #draw(): void {
    const popover = this.#popover
    const column = this.#column
    if (!popover || !column) return
    this.#entries = this.#list()
    this.#at = Math.min(this.#at, this.#entries.length - 1)
    const held = this.#held
    const lines = this.#entries.map((entry, index) => {
      const line = document.createElement("div")
      line.id = `picker-${index}`
      line.dataset.entry = String(index)
      line.setAttribute("role", "option")
      line.classList.toggle("at", index === this.#at)
      if ("deed" in entry) {
        line.className += index > 0 && !("deed" in this.#entries[index - 1]!) ? " quiet apart" : " quiet"
        line.append(icon(entry.deed === "clear" ? "cross" : "options"), entry.label)
        return line
      }
      const chosen = "option" in entry && held.includes(entry.option.id)
      line.setAttribute("aria-selected", String(chosen))
      const chip = document.createElement("span")
      paintChip(chip, "option" in entry ? entry.option : { color: "gray" })
      chip.textContent = "option" in entry ? entry.option.name || "Untitled" : entry.create
      if ("create" in entry) line.append(icon("add"), "Create ")
      line.append(chip)
      if (chosen) line.append(icon("tick"))
      return line
    })
    popover.element.style.minWidth = `${Math.max(200, this.parts.editor.element.offsetWidth)}px`
    popover.element.replaceChildren(...lines)
    popover.place()
    const active = lines[this.#at]
    active?.scrollIntoView({ block: "nearest" })
    const { element } = this.parts.editor
    if (active) element.setAttribute("aria-activedescendant", active.id)
    else element.removeAttribute("aria-activedescendant")
  }
}
