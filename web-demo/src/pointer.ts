// Mouse and touch: select by pressing and dragging, a row or a column by its header, edit by a double click.

import type { Grid } from "./grid"
import type { Selection, Spot } from "./selection"

export interface PointerActions {
  selection: Selection
  /** Whatever is being typed is kept before the selection goes elsewhere. */
  commit(): void
  focus(): void
  openEditor(): void
  /** A finger does not want the on-screen keyboard for merely selecting a cell. */
  byFinger(finger: boolean): void
  toggle(): void
  /** The + (1) or − (-1) of a counter. */
  step(by: 1 | -1): void
  openCalendar(): void
  lastSpot(): Spot
}

/** What in a cell has a click of its own. */
const TOOLS = ".check, .step, .calendar, .address"

export function watchPointer(grid: Grid, act: PointerActions): void {
  const element: HTMLElement = grid.element
  // Capture, so that RevoGrid, which listens below, neither moves its own focus nor takes ours away.
  element.addEventListener("mousedown", event => press(event), true)
  element.addEventListener("dblclick", event => {
    const target = event.target as HTMLElement
    if (target.closest(".editor") || !target.closest('revogr-data[type="rgRow"]')) return
    if (!target.closest(TOOLS)) act.openEditor()
  })
  // A finger scrolls; only a tap selects, and a tap on the cell that was selected before it edits it. The browser makes
  // a mouse press out of a tap, so what was selected before must be looked up when the finger comes down.
  let tapped = { finger: false, again: false }
  element.addEventListener(
    "pointerdown",
    event => {
      const { active } = act.selection
      const spot = grid.spotAt(event.clientX, event.clientY)
      tapped = { finger: event.pointerType === "touch", again: spot.row === active.row && spot.col === active.col }
      act.byFinger(tapped.finger)
    },
    true,
  )
  element.addEventListener("click", event => {
    const tool = (event.target as HTMLElement).closest(`${TOOLS}, .editor`)
    if (tapped.finger && tapped.again && inCells(event) && !tool) act.openEditor()
  })

  function press(event: MouseEvent): void {
    const target = event.target as HTMLElement
    if (event.button !== 0 || target.closest(".editor, .resizable, .beyond, button")) return
    const header = target.closest("revogr-header")
    const rowNumbers = target.closest("revogr-row-headers")
    if (!header && !rowNumbers && !inCells(event)) return
    event.preventDefault()
    act.commit()
    const last = act.lastSpot()
    const spot = grid.spotAt(event.clientX, event.clientY)
    const { active } = act.selection
    if (header && rowNumbers) {
      act.selection.selectAll()
    } else if (header) {
      const from = event.shiftKey ? active.col : spot.col
      act.selection.selectBlock({ row: 0, col: from }, { row: last.row, col: spot.col }, "stay")
    } else if (rowNumbers) {
      const from = event.shiftKey ? active.row : spot.row
      act.selection.selectBlock({ row: from, col: 0 }, { row: spot.row, col: last.col }, "stay")
    } else {
      if (event.shiftKey) act.selection.extendTo(spot)
      else act.selection.select(spot)
      if (target.closest(".check")) act.toggle()
      else if (target.closest(".step")) act.step(target.closest(".up") ? 1 : -1)
      else if (target.closest(".calendar")) return act.openCalendar()
      else drag(spot)
    }
    act.focus()
  }

  function drag(from: Spot): void {
    let was = from
    const move = (event: MouseEvent) => {
      const spot = grid.spotAt(event.clientX, event.clientY)
      if (spot.row === was.row && spot.col === was.col) return
      was = spot
      act.selection.extendTo(spot)
    }
    const up = () => {
      removeEventListener("mousemove", move)
      removeEventListener("mouseup", up)
    }
    addEventListener("mousemove", move)
    addEventListener("mouseup", up)
  }

  function inCells(event: MouseEvent): boolean {
    return (event.target as HTMLElement).closest('.vertical-inner revogr-data[type="rgRow"], .vertical-inner .overlay') !== null
  }
}
