// Puts the window together: connection, table, grid, people, status. The parts know little of each other; this file joins
// them, one bond a function.

import type { DocHandle } from "@automerge/automerge-repo/slim"
import { Columns } from "./columns"
import { connect, type Connection } from "./connect"
import { defineGrid, Grid } from "./grid"
import { Headers } from "./headers"
import { Keyboard } from "./keyboard"
import { keepPage } from "./offline"
import { Overlay } from "./overlay"
import { $, drawCounts, drawSource, drawStatus, drawUndo, watchButtons, watchTitle } from "./page"
import { askName, drawFaces } from "./people"
import { rename, whoAmI, type Me } from "./person"
import { watchPointer } from "./pointer"
import { Presence } from "./presence"
import { tellRefused } from "./refusal"
import type { TableDoc } from "./schema"
import { Selection } from "./selection"
import { Sheet } from "./sheet"
import { addressInUrl, isTable, isTooNew, openTable, viewInUrl } from "./start"
import { StatusWatch } from "./status"
import { startTheme } from "./theme"
import { joinTransfer } from "./transfer/transfer"
import { toast } from "./toast"
import { Typing } from "./typing"
import { Undo } from "./undo"
import { ViewTable } from "./view-table"
import { joinViews } from "./views"

interface Parts {
  table: ViewTable
  selection: Selection
  sheet: Sheet
  columns: Columns
  headers: Headers
  grid: Grid
  overlay: Overlay
  typing: Typing
  presence: Presence
}

async function main(): Promise<void> {
  startTheme($("#theme"))
  void drawSource()
  const [me, connection] = await Promise.all([whoAmI(), connect(), defineGrid()])
  const handle = await openTable(connection.repo, showMissing)
  if (!isTable(handle)) throw new Error("This address names a document that is not a table.")
  if (isTooNew(handle)) throw new Error("This table is of a later version than this page knows. Reload the page to get it.")
  $("#missing").hidden = true

  const parts = assemble(handle, me)
  joinSelection(parts)
  joinModel(parts)
  joinPeople(parts)
  joinKeys(parts)
  joinPointer(parts)
  joinClipboard(parts)
  joinConnection(parts, connection, handle)
  joinTransfer({
    table: parts.table,
    id: () => handle.documentId,
    currentView: viewInUrl,
    focus: () => parts.typing.editor.focus(),
  })
  watchTitle(parts.table)
  watchButtons(parts.sheet, handle.url, () => {
    drawUndo(parts.sheet)
    parts.typing.editor.focus()
  })
  drawUndo(parts.sheet)

  await parts.grid.ready()
  joinViews(parts.table, parts.selection, parts.grid, parts.headers, () => parts.typing.editor.focus())
  parts.selection.select({ row: 0, col: 0 })
  parts.typing.editor.focus()
  if (me.invented) askName(me, name => parts.presence.rename(rename(parts.presence.user, name)))
  document.documentElement.dataset.ready = "true"
  // Last, so that keeping the files does not compete with opening the table.
  void keepPage()
}

function assemble(handle: DocHandle<TableDoc>, me: Me): Parts {
  const presence = new Presence(handle, me)
  const table = new ViewTable(handle, () => presence.user.name)
  const selection = new Selection(table)
  const undoing = new Undo(table)
  const columns = new Columns(table, undoing)
  const sheet: Sheet = new Sheet(table, selection, undoing, (refused, deed) =>
    tellRefused(refused, deed, { sheet, columns, correct: ({ row, column, text }) => typing.openAt(row, column.id, text) }),
  )
  const grid = new Grid($("#grid"), table)
  const overlay = new Overlay(grid, table, selection)
  const typing: Typing = new Typing(sheet, grid, presence, columns, column => headers.editOptions(column))
  const focus = () => typing.editor.focus()
  const headers: Headers = new Headers({ grid, table, selection, columns, focus, commit: () => typing.commit() })
  undoing.subscribe(() => drawUndo(sheet))
  return { table, selection, sheet, columns, headers, grid, overlay, typing, presence }
}

function joinSelection({ table, selection, sheet, grid, overlay, typing, presence }: Parts): void {
  selection.subscribe(() => {
    overlay.drawSelection()
    typing.follow()
    if (selection.lead) grid.reveal(selection.lead)
    drawCounts(table, selection)
    const from = sheet.placeOf(selection.active)
    const to = sheet.placeOf(selection.end)
    presence.setSelection(from, from && to && !selection.isSingle ? { from, to } : null)
  })
}

function joinModel({ table, selection, sheet, grid, overlay, typing, presence }: Parts): void {
  // A large paste is twenty changes in a row; adding everything up once after them is enough.
  let counting = false
  const countSoon = () => {
    if (counting) return
    counting = true
    requestAnimationFrame(() => {
      counting = false
      drawCounts(table, selection)
    })
  }
  table.subscribe(change => {
    if (change.structure) {
      grid.setRows()
      grid.setColumns()
      overlay.drawSelection()
      overlay.drawPeople(presence.people())
    } else grid.redraw()
    if (change.remote) overlay.flash(change.cells)
    typing.follow()
    countSoon()
    drawUndo(sheet)
  })
  drawUndo(sheet)
}

function joinPeople({ table, grid, overlay, presence }: Parts): void {
  const faces = $("#faces")
  const jumpTo = (peer: string) => {
    const cursor = presence.people().find(person => person.peer === peer)?.cursor
    const spot = { row: table.rowIndex(cursor?.row ?? ""), col: table.columnIndex(cursor?.column ?? "") }
    if (spot.row >= 0 && spot.col >= 0) grid.reveal(spot)
    else if (cursor && table.hides(cursor.row)) toast("They are in a row that this view does not show.")
  }
  const draw = () => {
    const people = presence.people()
    overlay.drawPeople(people)
    drawFaces(faces, presence.user, people, jumpTo)
  }
  presence.subscribe(draw)
  faces.addEventListener("click", event => {
    if ((event.target as HTMLElement).id === "me") askName(presence.user, name => presence.rename(rename(presence.user, name)))
  })
  draw()
}

const lastSpot = (table: ViewTable) => ({ row: table.rows().length - 1, col: table.cols().length - 1 })

/** After a deed of ours there may be something to undo, or nothing any more. */
function undoable(sheet: Sheet, deed: () => void): () => void {
  return () => {
    deed()
    drawUndo(sheet)
  }
}

function joinKeys({ table, selection, sheet, grid, typing, headers }: Parts): void {
  const { editor } = typing
  const keyboard = new Keyboard({
    selection,
    mode: () => typing.mode,
    composing: () => editor.composing,
    page: () => grid.visibleRows().page,
    lastSpot: () => lastSpot(table),
    openEditor: undoable(sheet, () => typing.open()),
    correct: () => editor.correct(),
    commit: undoable(sheet, () => typing.commit()),
    cancel: () => typing.cancel(),
    newline: () => editor.insert("\n"),
    clear: undoable(sheet, () => sheet.clear()),
    toggle: () => {
      if (table.cols()[selection.active.col]?.kind !== "checkbox") return false
      sheet.toggle()
      drawUndo(sheet)
      return true
    },
    special: event => typing.key(event),
    nudge: by => typing.nudge(by),
    columnMenu: () => headers.openForSelection(),
    undo: undoable(sheet, () => sheet.undo()),
    redo: undoable(sheet, () => sheet.redo()),
    fillDown: undoable(sheet, () => sheet.fillDown()),
    fillRight: undoable(sheet, () => sheet.fillRight()),
  })
  editor.element.addEventListener("keydown", event => keyboard.handle(event))
  // A key pressed while nothing has the focus goes to the table: the first key of a quick typist must not be lost.
  addEventListener("keydown", event => {
    if (document.activeElement !== document.body || event.defaultPrevented) return
    editor.focus()
    keyboard.handle(event)
  })
}

function joinPointer({ table, selection, sheet, grid, typing }: Parts): void {
  watchPointer(grid, {
    selection,
    commit: undoable(sheet, () => typing.commit()),
    focus: () => typing.editor.focus(),
    openEditor: undoable(sheet, () => typing.open()),
    byFinger: finger => typing.editor.byFinger(finger),
    toggle: undoable(sheet, () => sheet.toggle()),
    step: by => sheet.step(by),
    openCalendar: () => typing.openCalendar(),
    lastSpot: () => lastSpot(table),
  })
}

/** While a cell is open, copy and paste are about the text in it, and the browser does them. */
function joinClipboard({ sheet, typing }: Parts): void {
  const on = (name: "copy" | "cut" | "paste", deed: (data: DataTransfer) => void) =>
    typing.editor.element.addEventListener(name, event => {
      if (typing.mode !== "idle" || !event.clipboardData) return
      event.preventDefault()
      deed(event.clipboardData)
      drawUndo(sheet)
    })
  on("copy", data => sheet.copy(data))
  on("cut", data => {
    sheet.copy(data)
    sheet.clear()
  })
  on("paste", data => sheet.paste(data))
}

function joinConnection({ presence }: Parts, { repo, attempts }: Connection, handle: DocHandle<TableDoc>): void {
  const status = new StatusWatch(repo, handle, attempts)
  status.subscribe(drawStatus)
  // The repository begins to sync with a new peer a moment after it says "peer", and sends presence only to peers it syncs
  // with; no event tells of that moment. So we say who we are soon, and once more for a machine that was slow.
  const greet = () => {
    setTimeout(() => status.online && presence.connected(), 50)
    setTimeout(() => status.online && presence.repeat(), 1000)
  }
  repo.networkSubsystem.on("peer", greet)
  repo.networkSubsystem.on("peer-disconnected", () => presence.disconnected())
  if (status.online) greet()
  addEventListener("hashchange", () => addressInUrl() !== handle.url && location.reload())
}

function showMissing(address: string): void {
  $("#missing").hidden = false
  $("#missing-address").textContent = address
}

main().catch(error => {
  console.error(error)
  $("#missing").hidden = false
  $("#missing h2").textContent = "The table could not be opened"
  $("#missing-address").textContent = String(error?.message ?? error)
})
