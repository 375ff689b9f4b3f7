// Puts views into the window: the choice, the bar above the grid, the headings in it and the totals below it.

import { $ } from "./page"
import type { Grid } from "./grid"
import type { Headers } from "./headers"
import type { Selection } from "./selection"
import { viewInUrl, writeViewInUrl } from "./start"
import { toast } from "./toast"
import { MAX_GROUPS } from "./view"
import { directionWords } from "./view-words"
import { ViewBar } from "./view-bar"
import { ViewDesk } from "./view-desk"
import { ViewFooter } from "./view-footer"
import { GroupHeadings } from "./view-groups"
import { Views } from "./view-store"
import type { ViewTable } from "./view-table"

/** `done` gives the focus back to the table. The grid must be ready. */
export function joinViews(table: ViewTable, selection: Selection, grid: Grid, headers: Headers, done: () => void): ViewDesk {
  const hold = table.holdSelection(() => selection.range)
  selection.subscribe(() => hold.left())
  const address = { read: viewInUrl, write: writeViewInUrl }
  const desk = new ViewDesk(table, new Views(table.handle), address, name => {
    toast(`The view “${name || "Untitled"}” was deleted. You see all rows again.`)
  })
  joinHeaders(headers, desk)
  new ViewBar($("#views"), desk, done)
  new ViewFooter($("#totals"), grid, desk)
  new GroupHeadings(grid, table)
  addEventListener("hashchange", () => viewInUrl() !== (desk.stored?.id ?? null) && desk.choose(viewInUrl()))
  desk.chosen(() => selection.select({ row: 0, col: 0 }))
  return desk
}

/** What the menu of a column offers for the view, and where columns stand in one that lists them. */
function joinHeaders(headers: Headers, desk: ViewDesk): void {
  headers.arranging = {
    move: (column, beside) => desk.placeColumn(column, beside),
    added: (column, beside) => void desk.placeColumn(column, beside),
  }
  headers.extras.push(({ id: column, kind }) => {
    const [up, down] = directionWords(kind)
    const first = (descending: boolean) => () =>
      desk.edit("sort", [{ column, descending }, ...desk.view.sort.filter(key => key.column !== column)])
    const group = [{ column, descending: false }, ...desk.view.group.filter(key => key.column !== column)].slice(0, MAX_GROUPS)
    return [
      { label: `Sort ${up}`, icon: "sort", run: first(false) },
      { label: `Sort ${down}`, icon: "sort", run: first(true) },
      { label: "Group by this column", icon: "group", run: () => desk.edit("group", group) },
      { label: "Hide column", icon: "columns", run: () => desk.hideColumn(column) },
    ]
  })
}
