// The card in which the options of a column are edited: names, colours, order. Every change is written at once.

import { paintChip } from "./cells"
import type { Columns } from "./columns"
import { icon } from "./icons"
import { PALETTE, type Option } from "./options"
import { Popover, type Place } from "./popover"
import type { Table } from "./table"

export interface OptionEditorSetting {
  table: Table
  columns: Columns
  /** The column. */
  id: string
  anchor(): Place
  focus(): void
}

export function openOptionEditor(setting: OptionEditorSetting): void {
  const { table, id, focus } = setting
  const name = table.column(id)?.name ?? ""
  const card = new Popover({
    anchor: () => setting.anchor(),
    className: "options-card",
    closed: () => {
      stop()
      if (document.activeElement === document.body) focus()
    },
  })
  const { element } = card
  element.setAttribute("role", "dialog")
  element.setAttribute("aria-label", `Options of ${name}`)
  const title = document.createElement("h3")
  title.textContent = `Options of ${name}`
  const list = document.createElement("ul")
  const adding = addForm(setting)
  element.append(title, list, adding.form)
  const lines = new Map<string, Line>()

  // Somebody else may edit the options too: lines stay as elements, so that the one being typed in keeps its caret.
  const draw = () => {
    const options = table.column(id)?.options ?? []
    const seen = new Set(options.map(option => option.id))
    for (const [option, line] of lines) {
      if (seen.has(option)) continue
      line.element.remove()
      lines.delete(option)
    }
    options.forEach((option, index) => {
      let line = lines.get(option.id)
      if (!line) lines.set(option.id, (line = new Line(setting, option.id)))
      line.draw(option, index)
      // Moving an element takes the focus from what is in it, so only those that stand elsewhere are moved.
      if (list.children[index] !== line.element) list.insertBefore(line.element, list.children[index] ?? null)
    })
    // The line that had the focus may be gone.
    if (document.activeElement === document.body) adding.input.focus()
    card.place()
  }
  const stop = table.subscribe(change => {
    if (!change.structure) return
    if (table.isColumnDeleted(id)) card.close()
    else draw()
  })
  draw()
  adding.input.focus()
}

function addForm({ columns, id }: OptionEditorSetting): { form: HTMLFormElement; input: HTMLInputElement } {
  const form = document.createElement("form")
  const input = document.createElement("input")
  input.placeholder = "Add an option"
  input.setAttribute("aria-label", "Name of a new option")
  input.spellcheck = false
  const button = document.createElement("button")
  button.className = "primary"
  button.textContent = "Add"
  form.append(input, button)
  form.addEventListener("submit", event => {
    event.preventDefault()
    if (input.value.trim() !== "") columns.addOptions(id, [input.value])
    input.value = ""
    input.focus()
    input.scrollIntoView({ block: "nearest" })
  })
  return { form, input }
}

class Line {
  readonly element = document.createElement("li")
  #index = 0
  #color = quietButton("swatch")
  #input = document.createElement("input")
  #chip = document.createElement("span")

  constructor(
    private readonly setting: OptionEditorSetting,
    private readonly option: string,
  ) {
    const { columns, id } = setting
    const grip = quietButton("grip", icon("grip"))
    grip.title = "Drag to reorder, or Alt+Up and Alt+Down"
    const remove = quietButton("remove", icon("cross"))
    remove.title = "Delete this option; cells that hold it keep it, marked"
    remove.setAttribute("aria-label", "Delete this option")
    grip.setAttribute("aria-label", "Move this option")
    this.#chip.textContent = "A"
    this.#color.append(this.#chip)
    this.#color.title = "Colour"
    this.#color.setAttribute("aria-label", "Colour of this option")
    this.#input.spellcheck = false
    this.#input.setAttribute("aria-label", "Name of this option")
    this.element.append(grip, this.#color, this.#input, remove)

    this.#input.addEventListener("change", () => columns.renameOption(id, option, this.#input.value))
    this.#input.addEventListener("blur", () => this.#show())
    this.#input.addEventListener("keydown", event => {
      if (event.key === "Enter" && !event.isComposing) columns.renameOption(id, option, this.#input.value)
    })
    this.element.addEventListener("keydown", event => {
      if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return
      event.preventDefault()
      const held = document.activeElement as HTMLElement | null
      columns.moveOption(id, option, this.#index + (event.key === "ArrowUp" ? -1 : 1))
      held?.focus()
    })
    this.#color.addEventListener("click", () => this.#toggleColors())
    remove.addEventListener("click", () => columns.removeOption(id, option))
    grip.addEventListener("pointerdown", event => this.#drag(event))
  }

  draw(option: Option, index: number): void {
    this.#index = index
    paintChip(this.#chip, option)
    this.#chip.textContent = "A"
    if (document.activeElement !== this.#input) this.#input.value = option.name
  }

  #show(): void {
    const { table, id } = this.setting
    this.#input.value = table.column(id)?.options.find(option => option.id === this.option)?.name ?? this.#input.value
  }

  /** The palette, in the line itself. */
  #toggleColors(): void {
    const open = this.element.querySelector(".palette")
    this.element.parentElement?.querySelectorAll(".palette").forEach(palette => palette.remove())
    if (open) return
    const { columns, id } = this.setting
    const palette = document.createElement("div")
    palette.className = "palette"
    palette.setAttribute("role", "group")
    palette.setAttribute("aria-label", "Colours")
    for (const color of PALETTE) {
      const button = quietButton("swatch")
      const chip = document.createElement("span")
      paintChip(chip, { color })
      chip.textContent = "A"
      button.append(chip)
      button.title = color
      button.setAttribute("aria-label", color)
      button.addEventListener("click", () => {
        columns.recolorOption(id, this.option, color)
        palette.remove()
        this.#color.focus()
      })
      palette.append(button)
    }
    this.element.append(palette)
    palette.querySelector("button")?.focus()
  }

  #drag(event: PointerEvent): void {
    event.preventDefault()
    const list = this.element.parentElement
    if (!list) return
    const stop = new AbortController()
    this.element.classList.add("moving")
    const move = ({ clientY }: PointerEvent) => {
      const others = [...list.children].filter(line => line !== this.element)
      const next = others.find(line => {
        const { top, height } = line.getBoundingClientRect()
        return clientY < top + height / 2
      })
      if (this.element.nextElementSibling !== (next ?? null)) list.insertBefore(this.element, next ?? null)
    }
    const end = () => {
      stop.abort()
      this.element.classList.remove("moving")
      const to = [...list.children].indexOf(this.element)
      if (to !== this.#index) this.setting.columns.moveOption(this.setting.id, this.option, to)
    }
    addEventListener("pointermove", move, { signal: stop.signal })
    addEventListener("pointerup", end, { signal: stop.signal })
    addEventListener("pointercancel", end, { signal: stop.signal })
  }
}

function quietButton(name: string, ...children: Node[]): HTMLButtonElement {
  const button = document.createElement("button")
  button.type = "button"
  button.className = `quiet ${name}`
  button.append(...children)
  return button
}
