// Puts views into the window: the choice, the bar above the grid, the headings in it and the totals below it.

import { $ } from "./page"
import type { Grid } from "./grid"
import type { Selection } from "./selection"
import { viewInUrl, writeViewInUrl } from "./start"
import { toast } from "./toast"
import { ViewBar } from "./view-bar"
import { ViewDesk } from "./view-desk"
import { ViewFooter } from "./view-footer"
import { GroupHeadings } from "./view-groups"
import { Views } from "./view-store"
import type { ViewTable } from "./view-table"

/** `done` gives the focus back to the table. The grid must be ready. */
export function joinViews(table: ViewTable, selection: Selection, grid: Grid, done: () => void): ViewDesk {
  const hold = table.holdSelection(() => selection.range)
  selection.subscribe(() => hold.left())
  const address = { read: viewInUrl, write: writeViewInUrl }
  const desk = new ViewDesk(table, new Views(table.handle), address, name => {
    toast(`The view “${name || "Untitled"}” was deleted. You see all rows again.`)
  })
  new ViewBar($("#views"), desk, done)
  new ViewFooter($("#totals"), grid, desk)
  new GroupHeadings(grid, table)
  addEventListener("hashchange", () => viewInUrl() !== (desk.stored?.id ?? null) && desk.choose(viewInUrl()))
  desk.chosen(() => selection.select({ row: 0, col: 0 }))
  return desk
}
