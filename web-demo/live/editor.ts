// The field in which a cell is edited: over the cell, not in it, so that nothing that comes from afar disturbs it.

import { live } from "./connection"
import { $, el } from "./dom"
import { cellOf, columnOf, move, table, valueOf } from "./grid"
import type { Spot, Value } from "./protocol"
import { isEqual, list, parse, show } from "./values"

export const ARROWS: Record<string, [rows: number, columns: number]> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
}

/** What was there when one began goes along: the server keeps both if it has changed meanwhile. */
export function write({ recordId, fieldId }: Spot, newValue: Value, oldValue: Value): void {
  if (!isEqual(newValue, oldValue)) live.edit({ type: "update", recordId, changes: [{ fieldId, oldValue, newValue }] })
}

/** Puts the field over its cell, wherever that is by now. */
export let place = (): void => {}

/** `fast`: opened by typing, which replaces what is there; then the arrows go on to the next cell. */
export function open(spot: Spot, fast: boolean): void {
  const column = columnOf(spot)
  const before = valueOf(spot)
  const { name, kind, options = [] } = column
  const text = fast ? "" : show(before, column)
  if (kind === "checkbox") return fast ? undefined : write(spot, !before, before)

  const isSelect = kind.endsWith("select")
  let isOpen = true
  let read = (): Value | undefined => parse(field.value, column)
  // Who chooses does not type.
  const tell = () => isSelect || live.show("typing", { cell: { ...spot, text: field.value.slice(0, 200) } })

  /** Without a step the focus stays where it went. What is no value of the column is left to be corrected, or lost. */
  function close(save: boolean, rows?: number, columns = 0): void {
    const value = save ? read() : before
    if (value === undefined) live.told(`Not saved: ${name} takes a number.`)
    if (!isOpen || (value === undefined && rows !== undefined)) return
    isOpen = false
    field.remove()
    live.show("typing", { cell: null })
    if (value !== undefined) write(spot, value, before)
    if (rows === undefined) return
    table.focus()
    move(rows, columns)
    live.changed()
  }

  const props = {
    className: `editor ${kind}`,
    ariaLabel: name,
    oninput: tell,
    onblur: () => close(true),
    onkeydown: ({ key, shiftKey, ctrlKey, isComposing }: KeyboardEvent) => {
      if (isComposing) return
      if (key === "Escape") close(false, 0)
      else if (key === "Tab") close(true, 0, shiftKey ? -1 : 1)
      else if (key === "Enter" && (kind !== "longtext" || ctrlKey)) close(true, shiftKey ? -1 : 1)
      else if (fast && ARROWS[key]) close(true, ...ARROWS[key])
      else return
      return false
    },
  }
  let field: HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement
  if (isSelect) {
    const multiple = kind === "multiselect"
    const onmousedown = multiple ? toggle : null
    const choices = options.map(({ id, name }) => el("option", { value: id, selected: list(before).includes(id), onmousedown }, name))
    const select = (field = el("select", { ...props, multiple }, ...(multiple ? [] : [el("option")]), ...choices))
    read = () => (multiple ? [...select.selectedOptions].map(option => option.value).sort() : select.value || null)
    if (!multiple) select.onchange = () => close(true, 0)
  } else if (kind === "longtext") field = el("textarea", { ...props, value: text })
  // Whoever types a day writes it as the table does; who opens the cell gets the calendar.
  else field = el("input", { ...props, type: kind === "date" && !fast && text.length < 11 ? "date" : "text", value: text })

  place = () => {
    const cell = cellOf(spot)
    // A cell that is nowhere to be seen leaves its field where it was.
    if (cell) field.style.cssText = `left:${cell.offsetLeft}px;top:${cell.offsetTop}px;min-width:${cell.offsetWidth}px`
  }
  place()
  $("scroller").append(field)
  field.focus()
  tell()
}

/** One click on an option is one more or one less, as with a box. */
function toggle({ target }: Event): false {
  const option = target as HTMLOptionElement
  option.selected = !option.selected
  return false
}
