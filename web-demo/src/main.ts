// Puts the window together: connection, table, grid, people, status. The parts know nothing of each other; this file does.

import { connect } from "./connect"
import { Editor } from "./editor"
import { defineGrid, Grid } from "./grid"
import { Keyboard } from "./keyboard"
import { keepPage } from "./offline"
import { Overlay } from "./overlay"
import { $, drawCounts, drawSource, drawStatus, drawUndo, watchButtons, watchTitle } from "./page"
import { askName, drawFaces } from "./people"
import { rename, whoAmI } from "./person"
import { watchPointer } from "./pointer"
import { Presence, type Place } from "./presence"
import { Selection } from "./selection"
import { Sheet } from "./sheet"
import { addressInUrl, isTable, openTable } from "./start"
import { StatusWatch } from "./status"
import { Table } from "./table"
import { startTheme } from "./theme"
import { toast } from "./toast"
import { Undo } from "./undo"
import { show } from "./values"

async function main(): Promise<void> {
  startTheme($("#theme"))
  void drawSource()
  const [me, { repo, attempts }] = await Promise.all([whoAmI(), connect(), defineGrid()])
  const handle = await openTable(repo, showMissing)
  if (!isTable(handle)) throw new Error("This address names a document that is not a table.")
  $("#missing").hidden = true

  const presence = new Presence(handle, me)
  const table = new Table(handle, () => presence.user.name)
  const selection = new Selection(table)
  const sheet = new Sheet(table, selection, new Undo(table))
  const grid = new Grid($("#grid"), table)
  const overlay = new Overlay(grid, table, selection)
  const status = new StatusWatch(repo, handle, attempts)

  // ---- the open editor: which cell it belongs to, by id, since rows may move under it
  let editing: Place | null = null
  const activePlace = (): Place | null => {
    const row = table.rows()[selection.active.row]
    const column = table.cols()[selection.active.col]?.id
    return row !== undefined && column !== undefined ? { row, column } : null
  }
  const begin = (): boolean => {
    editing = sheet.canWrite(selection.active.col) ? activePlace() : null
    if (editing) grid.reveal(selection.active)
    return editing !== null
  }
  const editor = new Editor(grid, {
    begins: begin,
    typed: text => editing && presence.setTyping({ ...editing, text }),
  })
  const endEdit = () => {
    editing = null
    editor.close()
    presence.setTyping(null)
    placeEditor()
  }
  const commit = () => {
    if (!editing) return
    const { row, column } = editing
    sheet.type(row, column, editor.text)
    if (table.isDeleted(row)) {
      toast("Somebody deleted this row while you typed. What you wrote is kept in it.", {
        label: "Bring the row back",
        run: () => table.restoreRows([row]),
      })
    }
    endEdit()
  }
  const openEditor = () => {
    if (table.cols()[selection.active.col]?.kind === "checkbox") return sheet.toggle()
    if (begin()) editor.open(show(sheet.value(selection.active)))
  }
  const placeEditor = () => {
    const at = editing ? { row: table.rowIndex(editing.row), col: table.columnIndex(editing.column) } : selection.active
    if (at.row < 0 || at.col < 0) return
    const column = table.cols()[at.col]
    const label = `${column?.name ?? ""}, row ${at.row + 1}: ${show(sheet.value(at)) || "empty"}`
    editor.placeAt(at, label, column?.kind === "number")
  }

  // ---- what the selection and the model tell
  const shareSelection = () => {
    const { active, end, isSingle } = selection
    const place = (spot: typeof active): Place | null => {
      const row = table.rows()[spot.row]
      const column = table.cols()[spot.col]?.id
      return row !== undefined && column !== undefined ? { row, column } : null
    }
    const from = place(active)
    const to = place(end)
    presence.setSelection(from, from && to && !isSingle ? { from, to } : null)
  }
  selection.subscribe(() => {
    overlay.drawSelection()
    placeEditor()
    if (selection.lead) grid.reveal(selection.lead)
    drawCounts(table, selection)
    shareSelection()
  })
  const drawPeople = () => {
    const people = presence.people()
    overlay.drawPeople(people)
    drawFaces($("#faces"), presence.user, people, peer => {
      const person = presence.people().find(person => person.peer === peer)
      const row = table.rowIndex(person?.cursor?.row ?? "")
      const col = table.columnIndex(person?.cursor?.column ?? "")
      if (row >= 0 && col >= 0) grid.reveal({ row, col })
    })
  }
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
      drawPeople()
    } else grid.redraw()
    if (change.remote) overlay.flash(change.cells)
    placeEditor()
    countSoon()
    drawUndo(sheet)
  })
  presence.subscribe(drawPeople)
  $("#faces").addEventListener("click", event => {
    if ((event.target as HTMLElement).id === "me") askName(presence.user, name => presence.rename(rename(presence.user, name)))
  })

  // ---- keys, mouse, clipboard
  const lastSpot = () => ({ row: table.rows().length - 1, col: table.cols().length - 1 })
  const undoable = (run: () => void) => () => {
    run()
    drawUndo(sheet)
  }
  const keyboard = new Keyboard({
    selection,
    mode: () => editor.mode,
    composing: () => editor.composing,
    page: () => grid.visibleRows().page,
    lastSpot,
    openEditor,
    correct: () => editor.correct(),
    commit: undoable(commit),
    cancel: endEdit,
    newline: () => editor.insert("\n"),
    clear: undoable(() => sheet.clear()),
    toggle: () => {
      if (table.cols()[selection.active.col]?.kind !== "checkbox") return false
      undoable(() => sheet.toggle())()
      return true
    },
    undo: undoable(() => sheet.undo()),
    redo: undoable(() => sheet.redo()),
    fillDown: undoable(() => sheet.fillDown()),
    fillRight: undoable(() => sheet.fillRight()),
  })
  editor.element.addEventListener("keydown", event => keyboard.handle(event))
  // A key pressed while nothing has the focus goes to the table: the first key of a quick typist must not be lost.
  addEventListener("keydown", event => {
    if (document.activeElement !== document.body || event.defaultPrevented) return
    editor.focus()
    keyboard.handle(event)
  })
  watchPointer(grid, {
    selection,
    commit: undoable(commit),
    focus: () => editor.focus(),
    openEditor,
    byFinger: finger => editor.byFinger(finger),
    toggle: undoable(() => sheet.toggle()),
    lastSpot,
  })
  const clipboard = (run: (data: DataTransfer) => void) => (event: ClipboardEvent) => {
    if (editor.mode !== "idle" || !event.clipboardData) return
    event.preventDefault()
    run(event.clipboardData)
    drawUndo(sheet)
  }
  editor.element.addEventListener("copy", clipboard(data => sheet.copy(data)))
  editor.element.addEventListener(
    "cut",
    clipboard(data => {
      sheet.copy(data)
      sheet.clear()
    }),
  )
  editor.element.addEventListener("paste", clipboard(data => sheet.paste(data)))
  grid.element.addEventListener("aftercolumnresize", event => {
    const resized = Object.values((event as CustomEvent).detail as Record<string, { prop: string; size: number }>)
    for (const column of resized) table.setColumnWidth(column.prop, Math.round(column.size))
  })

  // ---- connection
  status.subscribe(drawStatus)
  repo.networkSubsystem.on("peer", () => presenceSoon(presence))
  repo.networkSubsystem.on("peer-disconnected", () => presence.disconnected())
  if (status.online) presenceSoon(presence)
  addEventListener("hashchange", () => addressInUrl() !== handle.url && location.reload())

  watchTitle(table)
  watchButtons(sheet, handle.url, () => {
    drawUndo(sheet)
    editor.focus()
  })
  drawUndo(sheet)
  drawPeople()
  await grid.ready()
  selection.select({ row: 0, col: 0 })
  editor.focus()
  if (me.invented) askName(me, name => presence.rename(rename(presence.user, name)))
  document.documentElement.dataset.ready = "true"
  // Last, so that keeping the files does not compete with opening the table.
  void keepPage()
}

/**
 * The repository begins to sync with a new peer a moment after it says "peer", and sends presence only to peers it syncs
 * with; no event tells of that moment. So we say who we are soon, and once more for a machine that was slow.
 */
function presenceSoon(presence: Presence): void {
  setTimeout(() => presence.connected(), 50)
  setTimeout(() => presence.repeat(), 1000)
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
